"""Calibration data: losses of a model on the first utterances of a data folder."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from espnet_distill.data.utterances import (
    batches_of_one,
    durations_of,
    read_data,
    takes_durations,
)
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.text_frontend import build_front_end
from espnet_distill.structure.statistics.importance import Taylor, Wanda
from espnet_distill.utils.validation import require_finite

CALIBRATION_UTTERANCES = 32


FROM_ACTIVATIONS = {"wanda": Wanda, "taylor": Taylor}


def calibration_losses(
    data: Path, durations: Path | None, model, names
) -> Iterator[torch.Tensor]:
    """Yield a model's loss on the first utterances of a data folder.

    Args:
        data: An ESPnet data folder.
        durations: A file of frames per token, for a model that trains on durations.
        model: An ESPnetTTSModel; its forward pass runs when a loss is drawn.
        names: Its configuration as a namespace.

    Raises:
        ConfigError: Durations are missing, the text front end cannot be built,
            :func:`batches_of_one` refuses an utterance, or a loss is NaN or infinite.
    """
    if getattr(model.tts, "spk_embed_dim", None):
        raise ConfigError(
            f"--data: {names.tts} takes speaker embeddings, which no data folder "
            "has; omit --data"
        )
    if model.feats_extract is None:
        raise ConfigError(
            f"--data: {names.tts} was trained on features of {names.odim} dimensions "
            "(odim), which no data folder has; omit --data"
        )
    utterances, frames = read_data(data, CALIBRATION_UTTERANCES), None
    if takes_durations(model.tts):
        if not durations:
            raise ConfigError(
                f"--durations: {names.tts} requires the durations of {data}"
            )
        frames = durations_of(durations, utterances)
        utterances = {utt: utterances[utt] for utt in frames}
    preprocess = build_front_end(names, names.tts)
    batches = list(batches_of_one(model, preprocess, utterances, frames, data))
    return _finite_losses(model, batches, data)


def _finite_losses(model, batches: Iterable, data: Path) -> Iterator[torch.Tensor]:
    for utterance, batch in batches:
        loss = model(**batch)[0]
        remedy = "leave the utterance out, or name another model"
        require_finite({"the loss": loss}, f"--data: {data}: {utterance}", remedy)
        yield loss
