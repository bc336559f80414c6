"""Calibration data: the first utterances of a data folder."""

from pathlib import Path

import torch

from espnet_distill.data.utterances import (
    batches_of_one,
    durations_of,
    read_data,
    takes_durations,
)
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.importance import Taylor, Wanda
from espnet_distill.utils.validation import require_finite

CALIBRATION_UTTERANCES = 32


FROM_ACTIVATIONS = {"wanda": Wanda, "taylor": Taylor}


def read_calibration(
    experiment: Experiment, data: str | Path, durations: str | Path | None
) -> Calibration:
    """Read the first utterances of a data folder as batches of one.

    Args:
        experiment: The trained model, whose training loss is computed on them.
        data: An ESPnet data folder.
        durations: A file of frames per token, for a model that trains on durations.

    Raises:
        ConfigError: Durations are missing, the text front end cannot be built, or
            :func:`batches_of_one` refuses an utterance. A loss that is NaN or infinite
            raises it, too.
    """
    model, tts = experiment.model, experiment.config["tts"]
    data = Path(data)
    if model.feats_extract is None:
        raise ConfigError(
            f"--data: {tts} was trained on features of {experiment.config['odim']} "
            "dimensions (odim), which no data folder has; omit --data"
        )
    utterances, frames = read_data(data, CALIBRATION_UTTERANCES), None
    if takes_durations(model.tts):
        if not durations:
            raise ConfigError(f"--durations: {tts} requires the durations of {data}")
        frames = durations_of(Path(durations), utterances)
        utterances = {utt: utterances[utt] for utt in frames}
    batches = batches_of_one(model, experiment.front_end, utterances, frames, data)

    def loss(utterance_and_batch: tuple[str, dict]) -> torch.Tensor:
        utterance, batch = utterance_and_batch
        loss = model(**batch)[0]
        remedy = "leave the utterance out, or name another model"
        require_finite({"the loss": loss}, f"--data: {data}: {utterance}", remedy)
        return loss

    return Calibration(list(batches), loss)
