"""The trained experiments of a recipe, and what their data were."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import find_experiment, read_config
from espnet_distill.recipes.shell_values import require_plain
from espnet_distill.recipes.teacher_settings import FEATURES, PITCH
from espnet_distill.students.registry import VARIANTS

# What each of ESPnet's models can teach a FastSpeech2: types of objectives, and taps.
TAPS_OF = {
    "fastspeech2": ("mel", "encoder", "decoder", "duration", "pitch", "energy"),
    "fastspeech": ("mel", "encoder", "decoder", "duration"),
    "prodiff": ("mel", "encoder", "duration", "pitch", "energy"),
    "tacotron2": ("mel",),
    "transformer": ("mel",),
}


CONDITIONS = ("spks", "langs", "spk_embed_dim", "spk_embed_integration_type")


# Keys that tts.sh sets from its options; a training configuration has the others.
SET_BY_TTS_SH = (*FEATURES.values(), *PITCH)


@dataclass(frozen=True)
class Trained:
    """An experiment with a checkpoint; ``folder`` as seen from the recipe."""

    folder: Path
    conf: dict
    time: float

    @property
    def kind(self) -> str:
        """Its ``tts``."""
        return self.conf["tts"]

    @property
    def is_supported(self) -> bool:
        """Whether the package knows its class."""
        return self.kind in TAPS_OF or self.kind in VARIANTS

    def data(self, name: str) -> dict[str, Path]:
        """Files of its training or validation (``train``, ``valid``), by name."""
        triples = self.conf.get(f"{name}_data_path_and_name_and_type") or []
        return {key: Path(path) for path, key, *_ in triples}


def trained_in(recipe: Path, expdir: str = "exp") -> list[Trained]:
    """Return the trained models of a recipe, the latest first.

    Students, which have a ``distill.yaml``, are left out, and what cannot be read, too.

    Raises:
        ConfigError: A folder whose name a shell would read.
    """
    found = []
    for config in (recipe / expdir).glob("tts_*/config.yaml"):
        if (config.parent / "distill.yaml").exists():
            continue
        try:
            _, checkpoint = find_experiment(config.parent)
            conf = read_config(config)
            _require_class(conf, config)
        except ConfigError:  # statistics, or a training without a checkpoint yet
            continue
        folder = config.parent.relative_to(recipe)
        require_plain(str(folder), str(recipe))
        found.append(Trained(folder, conf, checkpoint.stat().st_mtime))
    return sorted(found, key=lambda trained: (-trained.time, str(trained.folder)))


def _require_class(conf: Mapping, config: Path) -> None:
    if not isinstance(conf["tts"], str) or not conf["tts"].isidentifier():
        raise ConfigError(f"{config}: tts: {conf['tts']!r} is no class of ESPnet's")


def tap_names_of(kind: str) -> tuple[str, ...]:
    """Return what a class of ``--tts`` can teach."""
    return TAPS_OF.get(kind, TAPS_OF["fastspeech2"])


def conditions_of(conf: Mapping) -> dict:
    """Return the keys of ``tts_conf`` that tell of speakers and languages."""
    told = conf.get("tts_conf") or {}
    return {key: told[key] for key in CONDITIONS if told.get(key) is not None}


def own_extraction(conf: Mapping) -> dict[str, dict]:
    """Return what features are extracted with besides what tts.sh sets."""
    found = {}
    for kind in ("feats", "pitch", "energy"):
        extraction = conf.get(f"{kind}_extract_conf") or {}
        own = {key: extraction[key] for key in extraction if key not in SET_BY_TTS_SH}
        found[f"{kind}_extract_conf"] = own
    return {key: own for key, own in found.items() if own}
