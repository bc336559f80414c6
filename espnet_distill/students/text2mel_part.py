"""The text-to-mel part of a text-to-waveform model as an experiment of its own."""

import inspect
from collections.abc import Mapping
from pathlib import Path

from espnet2.gan_tts.jets import JETS
from espnet2.gan_tts.jets.generator import JETSGenerator
from espnet2.gan_tts.joint import JointText2Wav
from espnet2.tts.abs_tts import AbsTTS
from espnet2.tts.fastspeech2 import FastSpeech2

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment, build_untrained
from espnet_distill.experiments.text_to_wave import text2mel_class

# Keys of a configuration that only the training of a GAN has, or whose values name its
# losses.
OF_GAN = (
    *("generator_first", "skip_discriminator_prob", "best_model_criterion"),
    *(f"{key}2{conf}" for key in ("optim", "scheduler") for conf in ("", "_conf")),
)
FROM_MODEL = ("idim", "odim")  # which ESPnet adds to a part's arguments
# Parameters of JETS without a counterpart in FastSpeech2, and the other way round.
ONLY_JETS = ("alignment_module.", "generator.")
LEARNT = ("feat_out.",)


def extract_text2mel(experiment: Experiment | str | Path) -> Experiment:
    """Return the text-to-mel part of a JointText2Wav.

    It computes what the joint model's vocoder is given, and is loaded by stock ESPnet.
    Features, statistics, tokens and speakers are the joint model's.

    Args:
        experiment: An experiment, or a folder, ``.pth``, ``.zip`` or tag of one.

    Returns:
        The part in memory.

    Raises:
        ConfigError: The experiment is of another class.
    """
    joint = Experiment.of(experiment)
    tts = joint.config["tts"]
    if tts != "joint_text2wav":
        raise ConfigError(
            f"{joint}: tts: {tts}: has no text-to-mel part; name a joint_text2wav"
        )
    conf = joint.config["tts_conf"]
    state = joint.model.tts.generator["text2mel"].state_dict()
    return _part(
        joint,
        text2mel_class(joint.config),
        _arguments(conf, "text2mel_params", JointText2Wav),
        state,
        f"the text-to-mel part of {joint}",
    )


def as_text2mel(teacher: Experiment) -> Experiment:
    """Return the text-to-mel model whose weights a student can begin with.

    Of a text-to-mel model it is the model itself, of JointText2Wav its part, and of
    JETS a FastSpeech2 without postnet: JETS has all of its parts but `feat_out`, which
    keeps its initialization.
    """
    tts = teacher.config["tts"]
    if tts == "joint_text2wav":
        return extract_text2mel(teacher)
    if tts in ("jets", "jets_synthesizer"):
        return _as_fastspeech2(teacher)
    return teacher


def _as_fastspeech2(jets: Experiment) -> Experiment:
    """Return a FastSpeech2 with the weights of a JETS."""
    given = _arguments(jets.config["tts_conf"], "generator_params", JETS)
    known = inspect.signature(FastSpeech2).parameters
    conf = {
        key: value
        for key, value in (_defaults(JETSGenerator) | given).items()
        if key in known and key not in FROM_MODEL
    }
    conf["postnet_layers"] = 0
    untrained, _ = build_untrained(
        jets.config | {"tts": "fastspeech2", "tts_conf": conf}
    )
    initial = untrained.tts.state_dict()
    own = jets.model.tts.generator.state_dict()
    taken = {key: value for key, value in own.items() if not key.startswith(ONLY_JETS)}
    learnt = {key: value for key, value in initial.items() if key.startswith(LEARNT)}
    parts = sorted({key.partition(".")[0] for key in taken})
    return _part(
        jets,
        "fastspeech2",
        conf,
        learnt | taken,
        f"From {jets}: {len(taken)} tensors ({', '.join(parts)}); not from it: "
        f"{', '.join(learnt)}.",
    )


def _part(whole: Experiment, tts: str, conf: Mapping, state: Mapping, note: str):
    """Return a part of a model with the configuration of a text-to-mel training."""
    part = whole.with_model(tts, conf, state, notes=[note])
    part.config = {
        key: value for key, value in part.config.items() if key not in OF_GAN
    }
    return part


def _arguments(conf: Mapping, key: str, kind: type[AbsTTS]) -> dict:
    """Return a part's arguments in a configuration, or by default."""
    given = conf.get(key) or inspect.signature(kind).parameters[key].default
    return {name: value for name, value in given.items() if name not in FROM_MODEL}


def _defaults(kind: type) -> dict:
    parameters = inspect.signature(kind).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}
