"""``espnet-distill report``: an evaluation to look at and to listen to."""

import warnings
from pathlib import Path

SENTENCES = 8


def write(folder: Path, sentences: int = SENTENCES) -> list[Path]:
    """Write report.html and RESULTS.md of an evaluation into its folder.

    Args:
        folder: Where table.json is.
        sentences: How many to play.

    Returns:
        The two files.
    """
    from espnet_distill.utils.files import write_text

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyworld asks pkg_resources for its version
        from espnet_distill.evaluation.html import render
        from espnet_distill.evaluation.html.results import read_evaluation

    evaluation = read_evaluation(folder)
    texts = {
        folder / "report.html": render.page(evaluation, sentences),
        folder / "RESULTS.md": render.results(evaluation, sentences),
    }
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)
