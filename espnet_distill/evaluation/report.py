"""``espnet-distill report``: an evaluation to look at and to listen to."""

import argparse
import warnings
from pathlib import Path

from espnet_distill.errors import ConfigError

SENTENCES = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "evaluation",
        metavar="DIR",
        type=Path,
        help="the --out of an `espnet-distill evaluate`; report.html, one file to open "
        "in a browser, and RESULTS.md go there",
    )
    add(
        "--num_sentences",
        metavar="N",
        type=int,
        default=SENTENCES,
        help="how many to play, evenly from the best to the worst (default: "
        "%(default)s); fewer if the page would be larger than 15 MB",
    )


def main(args: argparse.Namespace) -> None:
    """Write the page and the Markdown, and print where they are."""
    if args.num_sentences < 1:
        raise ConfigError(f"--num_sentences: {args.num_sentences}; give 1 or more")
    for path in write(args.evaluation, args.num_sentences):
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def write(folder: Path, sentences: int = SENTENCES) -> list[Path]:
    """Write report.html and RESULTS.md of an evaluation into its folder.

    Args:
        folder: Where table.json is.
        sentences: How many to play.

    Returns:
        The two files.
    """
    from espnet_distill.files import write_text

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyworld asks pkg_resources for its version
        from espnet_distill.evaluation.page import render
        from espnet_distill.evaluation.page.found import read_evaluation

    evaluation = read_evaluation(folder)
    texts = {
        folder / "report.html": render.page(evaluation, sentences),
        folder / "RESULTS.md": render.results(evaluation, sentences),
    }
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)
