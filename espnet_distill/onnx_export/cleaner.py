"""What clients' text differs in from a training whose text a cleaner of ESPnet changed."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from espnet_distill.data.front_end import TEXT, FrontEnd
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_frontend import build_front_end
from espnet_distill.utils.files import read_table

SENTENCES = 200


def cleaner_warnings(
    experiment: Experiment, front_end: FrontEnd, data: Path | None
) -> list[str]:
    """Return a sentence about a cleaner, which no client applies; none without one.

    Args:
        experiment: The text-to-mel model.
        front_end: Its front end.
        data: A data folder of the experiment; by default, that of its training, if it
            is there. Its first SENTENCES are compared.
    """
    if not front_end.cleaner:
        return []
    effect = "a text may get other symbols than in the training"
    if texts := _texts(experiment, data):
        count = count_cleaned(experiment, front_end, texts)
        effect = f"{count} of {len(texts)} sentences of the training's kind get other symbols"
    return [f"clients do not apply cleaner {front_end.cleaner}: {effect}"]


def count_cleaned(experiment: Experiment, front_end: FrontEnd, texts: list[str]) -> int:
    """Return how many texts have other token ids without the cleaner.

    Args:
        experiment: The text-to-mel model.
        front_end: Its front end, with a cleaner.
        texts: The texts.
    """
    args = Namespace(**(vars(experiment.args) | {"cleaner": None}))
    plain, bare = (
        build_front_end(args, str(experiment)),
        replace(front_end, cleaner=None),
    )
    return sum(
        _tokens(experiment.front_end, front_end.prepare(text))
        != _tokens(plain, bare.prepare(text))
        for text in texts
    )


def _tokens(preprocessor, text: str) -> list[int]:
    return preprocessor("sentence", {"text": text})["text"].tolist()


def _texts(experiment: Experiment, data: Path | None) -> list[str]:
    """Return the first texts of a data folder, or of the training if it is there."""
    files = experiment.config.get("train_data_path_and_name_and_type") or []
    paths = [Path(path) for path, name, *_ in files if name == "text"]
    paths = [data / TEXT] if data else paths
    tables = (read_table(path) for path in paths if path.is_file())
    return [text for table in tables for text in table.values() if text][:SENTENCES]
