"""The speakers of a voice: their names, and what a model takes for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.ids import speaker_inputs
from espnet_distill.experiments.text_frontend import UNKNOWN
from espnet_distill.utils.files import read_table


@dataclass(frozen=True)
class Speakers:
    """The speakers of a voice.

    Attributes:
        ids: Name → id; empty if there is one speaker.
        count: The number of ids that the graph takes, those without a name included.
    """

    ids: dict[str, int]
    count: int

    @property
    def default(self) -> int:
        """The id that a runtime takes if no speaker is named."""
        return min(self.ids.values(), default=0)

    @property
    def warnings(self) -> list[str]:
        """A sentence if clients take an id without a name, which is their default."""
        if not self.default:
            return []
        name = next(name for name, id in self.ids.items() if id == self.default)
        return [
            "clients that get no speaker take id 0, which is none of the voice's; name "
            f"{name}"
        ]


def named_speakers(
    tts,
    table: Path | None,
    xvectors: Sequence[str],
    experiment: Experiment,
    beside: Path | None = None,
) -> Speakers:
    """Return the speakers of a model; without a name, it is the id.

    Args:
        tts: The model.
        table: File of names and ids (ESPnet's ``spk2sid``), if it was given.
        xvectors: The names, of a model of speaker embeddings.
        experiment: The model's, for messages.
        beside: Such a file of the experiment itself.

    Raises:
        ConfigError: The file is given and the model has no speakers to name, or it has
            no names, or a value that is no speaker's id.
    """
    count = tts.spks or 1
    if table and (xvectors or count == 1):
        fault = "--xvector names the speakers" if xvectors else "has one speaker"
        raise ConfigError(f"--speakers: {experiment}: {fault}; leave it out")
    if xvectors:
        ids = {name: index for index, name in enumerate(xvectors)}
        return Speakers(ids if len(ids) > 1 else {}, len(xvectors))
    if count == 1:
        return Speakers({}, 1)
    if path := table or beside:
        return Speakers(_read_ids(path, count), count)
    return Speakers({str(index): index for index in range(count)}, count)


def _read_ids(path: Path, count: int) -> dict[str, int]:
    """Return name → id of a file, without that of an unknown speaker."""
    ids = {}
    for name, value in read_table(path).items():
        if not value.isdecimal() or int(value) >= count:
            raise ConfigError(
                f"{path}: {name}: {value!r} is no speaker id from 0 to {count - 1}"
            )
        ids[name] = int(value)
    ids.pop(UNKNOWN, None)
    if not ids:
        raise ConfigError(f"{path}: names no speaker; write `<name> <id>` lines")
    return ids


def conditions_of(
    tts, names: Sequence[str], experiment: Experiment, default: int = 0
) -> list[dict[str, torch.Tensor]]:
    """Return `sids` (1,) and `spembs` (dim,), those that a model takes, of speakers.

    Args:
        tts: The model.
        names: Speakers of the training set; without any, there is the default one.
        experiment: The model's.
        default: An id.

    Raises:
        ConfigError: There is no such speaker.
    """
    if not names:
        return [] if tts.spks is None else [{"sids": torch.tensor([default])}]
    found = [speaker_inputs(experiment, name, "--xvector") for name in names]
    return [{key: value[0] for key, value in inputs.items()} for inputs in found]
