"""``espnet-distill list-clips``: list a corpus's recordings as Kaldi tables."""

from pathlib import Path

from espnet_distill.data.list_clips import write_data_folder
from espnet_distill.errors import ConfigError


def add_arguments(parser) -> None:
    parser.add_argument(
        "corpus",
        type=Path,
        help="a file of lines id|text or id|text|normalized text, or a folder with it "
        "as metadata.csv and with wavs/, or with data/<id>_<time>.wav and .txt",
    )
    parser.add_argument("out", type=Path, help="the data folder")
    parser.add_argument(
        "--wavs",
        metavar="DIR",
        type=Path,
        help="folder of the recordings (default: wavs/ beside the file)",
    )
    parser.add_argument("--speaker", required=True, help="the name of the speaker")


def main(args) -> None:
    """Write the data folder and print the number of recordings."""
    from espnet_distill.data.metadata import read_clips

    if args.speaker.split() != [args.speaker]:
        raise ConfigError(f"--speaker {args.speaker!r}: expected one word")
    clips = read_clips(args.corpus, args.wavs)
    write_data_folder(
        args.out,
        (
            (clip.utterance, clip.audio.resolve(), clip.text, args.speaker)
            for clip in clips
        ),
    )
    print(f"{args.out}: {len(clips)} recordings of {args.speaker}")
