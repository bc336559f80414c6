"""``espnet-distill select-text``: select sentences that cover a language's sounds."""

from pathlib import Path

from espnet_distill.errors import ConfigError


def add_arguments(parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "text", metavar="TEXT", type=Path, help="lines of <utterance> <words>"
    )
    parser.add_argument(
        "out", metavar="OUT", type=Path, help="the selected lines, the best ones first"
    )
    parser.add_argument(
        "--num", metavar="N", type=int, required=True, help="sentences to select"
    )
    parser.add_argument("--g2p", metavar="NAME", required=True, help="as new-recipe's")
    parser.add_argument("--language", metavar="TAG", help="as new-recipe's, such as de")
    parser.add_argument(
        "--covered",
        metavar="DATA",
        type=Path,
        nargs="+",
        default=[],
        help="data folders whose text is used in any case, such as the recordings'",
    )
    parser.add_argument(
        "--exclude",
        metavar="DATA",
        type=Path,
        nargs="+",
        default=[],
        help="data folders whose sentences are not selected, such as the test set",
    )


def main(args) -> None:
    """Write the selected lines; print how well they cover the text."""
    from espnet_distill.data.check_text import require_new_text
    from espnet_distill.data.front_end import prepare_lines, words_of
    from espnet_distill.data.select_text import new_sentences, select_sentences
    from espnet_distill.data.text_report import tokens_of
    from espnet_distill.recipes.corpus_front_end import choose_front_end
    from espnet_distill.utils.files import read_table, write_text
    from espnet_distill.utils.quiet import stderr_suppressed

    if args.num < 1:
        raise ConfigError(f"--num: {args.num} is not above 0")
    require_new_text(args.text, ())
    front_end = choose_front_end(args.g2p, args.language).phonemizing()

    def tokenize(path: Path, lines: dict[str, str]) -> dict[str, list[str]]:
        prepared = prepare_lines(lines, front_end, str(path))
        with stderr_suppressed():
            return tokens_of(prepared, front_end)

    covered = {path: read_table(path) for path in map(words_of, args.covered)}
    excluded = map(read_table, map(words_of, args.exclude))
    known = (
        words for lines in (*covered.values(), *excluded) for words in lines.values()
    )
    texts = new_sentences(read_table(args.text), known)
    if not texts:
        raise ConfigError(
            f"{args.text}: has no sentence that --exclude and --covered have not"
        )
    used = [tokens for item in covered.items() for tokens in tokenize(*item).values()]
    selection = select_sentences(tokenize(args.text, texts), args.num, used)
    lines = (f"{name} {texts[name]}\n" for name in selection.utterances)
    write_text(args.out, "".join(lines))
    print(f"{args.out}: {selection}")
