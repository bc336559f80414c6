"""``espnet-distill prepare-text``: normalize and phonemize the text of data folders."""

from pathlib import Path

from espnet_distill.errors import ConfigError


def add_arguments(parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "data",
        metavar="DATA",
        type=Path,
        nargs="+",
        help="data folders, whose text is rewritten; with --out a file of "
        "<utterance> <words> lines",
    )
    parser.add_argument("--language", help="language of the words, such as de")
    parser.add_argument(
        "--voice",
        metavar="TAG",
        help="phonemize with this voice of espeak-ng, such as de or en-us; for a "
        "training with --g2p none",
    )
    parser.add_argument(
        "--like", metavar="FOLDER", type=Path, help="prepare as this folder was"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="the prepared file")


def main(args) -> None:
    """Prepare each folder, or the file; print the number of utterances."""
    from espnet_distill.data.front_end import FrontEnd, prepare_file, prepare_folder
    from espnet_distill.data.languages import language_of

    language = args.language or language_of(None, args.voice)
    if bool(args.like) == bool(language):
        raise ConfigError("--language, --voice or --like: give one of them")
    if not args.out:
        if args.like:
            raise ConfigError("--like: prepares a file; name it with --out, too")
        for folder in args.data:
            count = prepare_folder(folder, language, args.voice)
            print(f"{folder}: {count} utterances")
        return
    if len(args.data) != 1:
        raise ConfigError("--out: prepares one file; name one")
    front_end = FrontEnd.of({"token_type": "phn"}, args.like)
    if not args.like:
        front_end = FrontEnd(language=language, voice=args.voice)
    count = prepare_file(args.data[0], args.out, front_end)
    print(f"{args.out}: {count} utterances")
