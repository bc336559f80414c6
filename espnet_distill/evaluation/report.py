"""Render an evaluation as a page with audio."""

import warnings
from pathlib import Path

from espnet_distill.errors import ConfigError

SENTENCES = 8


def write(folder: Path, sentences: int = SENTENCES) -> list[Path]:
    """Write report.html and RESULTS.md of an evaluation into its folder.

    Args:
        folder: Folder of table.json.
        sentences: Number of sentences to play.

    Returns:
        The two files.

    Raises:
        ConfigError: A number below 1, or a folder without an evaluation.
    """
    if sentences < 1:
        raise ConfigError(f"--num-sentences: {sentences}; give 1 or more")
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
