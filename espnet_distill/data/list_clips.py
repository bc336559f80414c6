"""`espnet-distill list-clips`: a corpus of one speaker as a data folder of ESPnet's."""

from collections.abc import Iterable
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.files import require_folder, write_text


def write_data_folder(
    out: Path, rows: Iterable[tuple[str, Path | str, str, str]]
) -> None:
    """Write ``wav.scp``, ``text`` and ``utt2spk``, sorted as ``LC_ALL=C sort`` does.

    Args:
        out: The folder.
        rows: Id, audio file, text and speaker of each utterance.
    """
    rows = sorted(rows)
    require_folder(out)
    for column, name in enumerate(("wav.scp", "text", "utt2spk"), start=1):
        lines = (f"{row[0]} {row[column]}\n" for row in rows)
        write_text(out / name, "".join(lines))


def add_arguments(parser) -> None:
    parser.add_argument(
        "corpus",
        type=Path,
        help="a folder with metadata.csv (id|text, or id|text|normalized text) and "
        "wavs/, or with data/<id>_<time>.wav and .txt",
    )
    parser.add_argument("out", type=Path, help="the data folder")
    parser.add_argument("--speaker", required=True, help="the name of the speaker")


def main(args) -> None:
    """Write the data folder and say how many recordings it has."""
    from espnet_distill.data.metadata import read_clips

    if args.speaker.split() != [args.speaker]:
        raise ConfigError(f"--speaker {args.speaker!r}: expected one word")
    clips = read_clips(args.corpus)
    write_data_folder(
        args.out,
        (
            (clip.utterance, clip.audio.resolve(), clip.text, args.speaker)
            for clip in clips
        ),
    )
    print(f"{args.out}: {len(clips)} recordings of {args.speaker}")
