"""Model configurations of ESPnet's LJSpeech recipe, for the benchmarks."""

import yaml

from espnet_distill.utils.espnet_root import espnet_root

TOKENS, MELS, FRAMES_A_SECOND = 75, 80, 22050 / 256


def training_config(name: str) -> dict:
    """Return a training configuration of the recipe, for instance ``fastspeech2``."""
    folder = espnet_root() / "egs2/ljspeech/tts1/conf/tuning"
    return yaml.safe_load((folder / f"train_{name}.yaml").read_text(encoding="utf-8"))
