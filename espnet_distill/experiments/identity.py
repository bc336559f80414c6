"""The record of the model that a result was made from, by content."""

from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.files import read_text

MADE_FROM = "made_from"


def require_made_from(result: Path, experiment: Experiment) -> None:
    """Raise a ConfigError if a result was made from another model.

    Args:
        result: A folder; without a record `made_from` in it, the check is skipped.
        experiment: The model.
    """
    path = result / MADE_FROM
    if not path.is_file():
        return
    lines = (line.partition(": ") for line in read_text(path).splitlines())
    recorded = {name: value for name, _, value in lines}
    for name, value in experiment.identity.items():
        if recorded.get(name, value) != value:
            raise ConfigError(
                f"{result}: was made with another {name} than that of "
                f"{experiment.checkpoint} is now; synthesize again, by stage 7 of "
                "distill.sh or stage 8 of tts.sh"
            )
