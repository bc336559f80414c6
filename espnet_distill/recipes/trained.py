"""Find the trained experiments of a recipe and their data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_to_wave import (
    WITH_DECODER,
    is_text_to_wave,
    parameters,
)
from espnet_distill.recipes.shell_values import require_plain
from espnet_distill.recipes.teacher_settings import FEATURES, PITCH
from espnet_distill.students.registry import VARIANTS

# Objectives of distillation into a FastSpeech2 that each ESPnet model class supports.
TAPS_OF = {
    "fastspeech2": ("mel", "encoder", "decoder", "duration", "pitch", "energy"),
    "fastspeech": ("mel", "encoder", "decoder", "duration"),
    "prodiff": ("mel", "encoder", "duration", "pitch", "energy"),
    "tacotron2": ("mel",),
    "transformer": ("mel",),
}


CONDITIONS = ("spks", "langs", "spk_embed_dim", "spk_embed_integration_type")


# Keys that tts.sh sets from its options; others are set by a training configuration.
SET_BY_TTS_SH = (*FEATURES.values(), *PITCH)


@dataclass(frozen=True)
class Trained:
    """A trained experiment.

    Attributes:
        folder: The experiment's folder, relative to the recipe.
        conf: Its configuration.
        time: The modification time of its checkpoint, in seconds.
    """

    folder: Path
    conf: dict
    time: float

    @property
    def kind(self) -> str:
        """The model class, the configuration's ``tts``."""
        return self.conf["tts"]

    @property
    def is_supported(self) -> bool:
        """Whether the package supports the model class."""
        is_text2mel = self.kind in TAPS_OF or self.kind in VARIANTS
        return is_text2mel or self.is_text_to_wave

    @property
    def is_text_to_wave(self) -> bool:
        """Whether the model synthesizes waveforms."""
        return is_text_to_wave(self.conf)

    @property
    def has_decoder(self) -> bool:
        """Whether a vocoder of its latents can replace the model's waveform decoder."""
        return self.kind in WITH_DECODER

    def data(self, name: str) -> dict[str, Path]:
        """Return the data files of ``train`` or ``valid``: name → path."""
        triples = self.conf.get(f"{name}_data_path_and_name_and_type") or []
        return {key: Path(path) for path, key, *_ in triples}


def trained_in(recipe: Path, expdir: str = "exp") -> list[Trained]:
    """Return the trained models of a recipe, the latest first.

    Students, which have a ``distill.yaml``, and unreadable experiments are omitted.

    Raises:
        ConfigError: A folder's name has special characters of a shell.
    """
    experiments = []
    for config in (recipe / expdir).glob("tts_*/config.yaml"):
        if (config.parent / "distill.yaml").exists():
            continue
        try:
            experiment = Experiment(config.parent)
            conf, checkpoint = experiment.config, experiment.checkpoint
            _require_class(conf, config)
        except ConfigError:  # no experiment, or no checkpoint yet
            continue
        folder = config.parent.relative_to(recipe)
        require_plain(str(folder), str(recipe))
        experiments.append(Trained(folder, conf, checkpoint.stat().st_mtime))
    return sorted(experiments, key=lambda one: (-one.time, str(one.folder)))


def _require_class(conf: Mapping, config: Path) -> None:
    if not isinstance(conf["tts"], str) or not conf["tts"].isidentifier():
        raise ConfigError(f"{config}: tts: {conf['tts']!r} is no class of ESPnet's")


def tap_names_of(kind: str) -> tuple[str, ...]:
    """Return the objectives that a teacher of a model class supports."""
    return TAPS_OF.get(kind, TAPS_OF["fastspeech2"])


def conditions_of(conf: Mapping) -> dict:
    """Return the keys of ``tts_conf`` that condition on speakers and languages."""
    given = parameters(conf)
    return {key: given[key] for key in CONDITIONS if given.get(key) is not None}


def is_conditioned(conditions: Mapping) -> bool:
    """Return True if keys of `conditions_of` condition a model; -1 stands for none."""
    sizes = (size for size in conditions.values() if isinstance(size, int))
    return max(sizes, default=0) > 1


def own_extraction(conf: Mapping) -> dict[str, dict]:
    """Return the feature extraction settings that tts.sh does not set."""
    settings = {}
    for kind in ("feats", "pitch", "energy"):
        extraction = conf.get(f"{kind}_extract_conf") or {}
        settings[f"{kind}_extract_conf"] = {
            key: value for key, value in extraction.items() if key not in SET_BY_TTS_SH
        }
    return {key: values for key, values in settings.items() if values}
