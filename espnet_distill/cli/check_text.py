"""``espnet-distill check-text``: check texts, and what a front end makes of them."""

from pathlib import Path

from espnet_distill.data.check_text import recorded_ids, require_new_text
from espnet_distill.errors import ConfigError


def add_arguments(parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--new",
        metavar="FILE",
        type=Path,
        help="text without recordings: lines of <utterance> <words>",
    )
    parser.add_argument(
        "texts",
        metavar="TEXT",
        type=Path,
        nargs="*",
        help="text of a folder of recordings",
    )
    front_end = parser.add_argument_group(
        "front end of a training; with --token-type, its effects on the texts are shown"
    )
    front_end.add_argument("--token-type", metavar="TYPE", help="phn, char, bpe, word")
    front_end.add_argument("--g2p", metavar="NAME", help="ESPnet's g2p, or none")
    front_end.add_argument("--cleaner", metavar="NAME", help="its cleaner, or none")
    front_end.add_argument("--bpemodel", metavar="FILE", help="for bpe")
    front_end.add_argument(
        "--token-list", metavar="FILE", type=Path, help="its tokens, one a line"
    )
    front_end.add_argument(
        "--language",
        help="of the texts (default: as prepare-text recorded, or the g2p)",
    )


def main(args) -> None:
    """Print what a front end loses or changes; print nothing for valid texts."""
    recorded = recorded_ids(args.texts)
    if args.new:
        require_new_text(args.new, recorded)
    if args.token_type:
        _report(args)
    elif any((args.g2p, args.cleaner, args.bpemodel, args.token_list, args.language)):
        raise ConfigError("--token-type: name it, too; phn, char, bpe or word")


def _report(args) -> None:
    from dataclasses import replace

    from espnet_distill.data.front_end import FrontEnd, require_front_end
    from espnet_distill.data.text_report import format_report, report_text
    from espnet_distill.experiments.text_frontend import require_bpemodel
    from espnet_distill.utils.files import read_table, read_text
    from espnet_distill.utils.quiet import stderr_suppressed
    from espnet_distill.voice.languages import require_language

    if not args.texts:
        raise ConfigError("TEXT: name the text of a data folder")
    front_end = FrontEnd.of(vars(args), args.texts[0].parent)
    if args.language:
        front_end = replace(front_end, language=require_language(args.language))
    require_front_end(front_end)
    require_bpemodel(vars(args), "front end")
    tokens = args.token_list and read_text(args.token_list).splitlines()
    lines = {
        f"{path}: {utterance}": text
        for path in args.texts
        for utterance, text in read_table(path).items()
    }
    with stderr_suppressed():
        findings = report_text(lines, front_end, args.bpemodel, tokens)
    print(format_report(findings, len(lines)))
