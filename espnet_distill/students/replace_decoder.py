"""Put a vocoder of latents into the place of a VITS's or JETS's waveform decoder."""

import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.locate import USUAL_NAMES
from espnet_distill.experiments.text_to_wave import conditioning_of
from espnet_distill.students.synthesis_only import (
    KEPT,
    RECORD,
    files_beside,
    synthesizing,
)
from espnet_distill.teachers.dumped import identity
from espnet_distill.utils.checksums import checksum
from espnet_distill.vocoders.distilled import load_generator
from espnet_distill.vocoders.latents import LatentSpec, input_of

# The usual checkpoints of a vocoder, an average of its last epochs first.
VOCODER_NAMES = ("train.total_count.ave.pth", *USUAL_NAMES)
# The choice of --tts → that of the result, and the place of its decoder.
SYNTHESIZERS = {
    "vits": ("vits_synthesizer", "generator.decoder"),
    "vits_synthesizer": ("vits_synthesizer", "generator.decoder"),
    "jets": ("jets_synthesizer", "generator.generator"),
    "jets_synthesizer": ("jets_synthesizer", "generator.generator"),
}


def replace_decoder(experiment, vocoder) -> Experiment:
    """Return a text-to-waveform model whose decoder is a vocoder of its latents.

    Text encoder, durations and flow stay, and so do prosody, noise and speed.

    Args:
        experiment: A trained VITS or JETS, or an imported Piper voice.
        vocoder: The experiment of a vocoder that was trained on its latents.

    Returns:
        The model in memory; without what only training needs.

    Raises:
        ConfigError: The experiment is of another class, or the vocoder was trained on
            mels or on the latents of another model.
    """
    teacher, trained = Experiment.of(experiment), Experiment(vocoder, VOCODER_NAMES)
    kind = teacher.config["tts"]
    if kind not in SYNTHESIZERS:
        raise ConfigError(
            f"{teacher}: tts: {kind}: has no waveform decoder that can be replaced; name "
            f"one of {', '.join(SYNTHESIZERS)}"
        )
    _require_latents_of(trained, teacher)
    tts, place = SYNTHESIZERS[kind]
    vocoder_conf = trained.config["tts_conf"]
    conf = {
        key: value for key, value in teacher.config["tts_conf"].items() if key in KEPT
    }
    conf |= {
        "decoder_type": vocoder_conf["vocoder_type"],
        "decoder_params": dict(vocoder_conf.get("vocoder_params") or {}),
    }
    state = synthesizing(teacher.model.tts.state_dict(), f"{place}.")
    generator, mean, std = load_generator(trained.checkpoint, trained.config_file)
    state |= {f"{place}.mean": mean, f"{place}.std": std}
    state |= {
        f"{place}.generator.{name}": tensor
        for name, tensor in generator.state_dict().items()
    }
    return teacher.with_model(
        tts,
        conf,
        state,
        training={},
        full_precision=True,
        notes=(f"decoder: {trained.checkpoint}",),
        files=_files(teacher, trained),
    )


def _require_latents_of(trained: Experiment, teacher: Experiment) -> None:
    """Raise a ConfigError unless a vocoder was trained on a model's latents."""
    conf = trained.config
    if conf["tts"] != "vocoder":
        raise ConfigError(f"{trained}: is no vocoder's (tts: {conf['tts']})")
    latents = input_of(conf, f"{trained}: ")
    if not isinstance(latents, LatentSpec):
        raise ConfigError(
            f"{trained}: takes mels; train a vocoder on the latents of {teacher} "
            "(docs/vits.md)"
        )
    if latents.model_sha256 != checksum(teacher.checkpoint):
        raise ConfigError(
            f"{trained}: was trained on the latents of another model than "
            f"{teacher.checkpoint}; name that one, or train the vocoder again"
        )
    if latents.condition_channels != conditioning_of(teacher.config):
        raise ConfigError(
            f"{trained}: was trained without the global conditioning of {teacher}, for a "
            "student of latents; train a vocoder by replace_decoder.sh (docs/vits.md)"
        )


def _files(teacher: Experiment, trained: Experiment) -> dict[str, str]:
    """Return the files beside the teacher that apply to the result, and its record."""
    files, kept = files_beside(teacher)
    record = {
        "teacher": identity(teacher),
        "decoder": {
            "vocoder": str(trained.checkpoint),
            "vocoder_sha256": checksum(trained.checkpoint),
        },
        **kept,
    }
    return files | {RECORD: yaml.safe_dump(record, sort_keys=False)}
