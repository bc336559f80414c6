"""A student's initial weights: its teacher's units that matter most."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.batches import (
    batches_of_one,
    known_durations,
    wants_durations,
)
from espnet_distill.evaluation.inputs import read_data
from espnet_distill.structure.importance import Activation, Random, Taylor, magnitude
from espnet_distill.students.groups import groups_of
from espnet_distill.students.narrow import Narrowed, drop_layers, narrow
from espnet_distill.students.shape import Sizes
from espnet_distill.teachers.front_end import build_front_end
from espnet_distill.utils.validation import require_finite

LISTENED = 32  # utterances that activations and gradients are taken from
HEARING = {"activation": Activation, "taylor": Taylor}


def losses_on(
    data: Path, durations: Path | None, model, names
) -> Iterator[torch.Tensor]:
    """Yield a model's loss on the first utterances of a data folder.

    Args:
        data: An ESPnet data folder.
        durations: Frames a token of them, for a model that trains with durations.
        model: An ESPnetTTSModel, run as each loss is drawn.
        names: Its configuration as a namespace.

    Raises:
        ConfigError: Durations that are missing, a text front end that cannot be built,
            utterances that :func:`batches_of_one` refuses; a loss that is NaN or
            infinite, as it is drawn.
    """
    if getattr(model.tts, "spk_embed_dim", None):
        raise ConfigError(
            f"--data: {names.tts} wants speaker embeddings, which no data folder "
            "gives; leave it out"
        )
    if model.feats_extract is None:
        raise ConfigError(
            f"--data: {names.tts} was trained on features of {names.odim} dimensions "
            "(odim), which no data folder gives; leave it out"
        )
    utterances, known = read_data(data, LISTENED), None
    if wants_durations(model.tts):
        if not durations:
            raise ConfigError(f"--durations: {names.tts} wants those of {data}")
        known = known_durations(durations, utterances)
        utterances = {utt: utterances[utt] for utt in known}
    preprocess = build_front_end(names, names.tts)
    batches = list(batches_of_one(model, preprocess, utterances, known, data))
    return _finite_losses(model, batches, data)


def _finite_losses(model, batches: Iterable, data: Path) -> Iterator[torch.Tensor]:
    for utterance, batch in batches:
        loss = model(**batch)[0]
        remedy = "leave the utterance out, or name another model"
        require_finite({"the loss": loss}, f"--data: {data}: {utterance}", remedy)
        yield loss


def initialise(
    student: AbsTTS,
    teacher: AbsTTS,
    sizes: Sizes,
    conf: dict,
    importance: str,
    losses: Iterator[torch.Tensor] | None,
) -> Narrowed:
    """Give a student its teacher's weights, in place.

    Args:
        student: Of the teacher's class, narrower.
        teacher: Loses layers.
        sizes: The teacher's.
        conf: The student's ``tts_conf``.
        importance: magnitude, activation, taylor or random.
        losses: The teacher's loss on batch after batch, for activation and taylor.
    """
    drop_layers(teacher, student)
    if importance in HEARING:
        score = HEARING[importance](teacher, losses)
    else:
        score = Random() if importance == "random" else magnitude
    groups = groups_of(teacher, lambda: sizes.knobs_at_depth_of(conf))
    narrowed = narrow(teacher, student, groups, score)
    student.load_state_dict(narrowed.state)
    return narrowed
