"""Render an evaluation as a page with audio, or as a blind comparison."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_distill.errors import ConfigError

SENTENCES = 8


TRIALS = 24  # of a blind comparison, some five minutes


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

    with _quiet_imports():
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


def write_blind(
    folder: Path, names: Sequence[str] = (), trials: int = TRIALS, seed: int = 0
) -> Path:
    """Write blind.html, a blind comparison of systems, into an evaluation's folder.

    Args:
        folder: Folder of table.json.
        names: Rows to compare; none are all but the recordings.
        trials: Number of pairs of clips; fewer if there are fewer sentences.
        seed: Of sentences and order.

    Returns:
        The file.

    Raises:
        ConfigError: A folder without an evaluation, fewer than two systems with audio,
            or fewer trials than pairs of them.
    """
    from espnet_distill.utils.files import write_text

    with _quiet_imports():
        from espnet_distill.evaluation.html.blind import blind_page
        from espnet_distill.evaluation.html.results import read_evaluation

    path = folder / "blind.html"
    write_text(path, blind_page(read_evaluation(folder), names, trials, seed))
    return path


@contextlib.contextmanager
def _quiet_imports() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyworld asks pkg_resources for its version
        yield
