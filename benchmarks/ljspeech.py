"""ESPnet's LJSpeech recipe, which the benchmarks take their models from."""

import yaml

from espnet_distill.utils.espnet_root import espnet_root

TOKENS, MELS, FRAMES_A_SECOND = 75, 80, 22050 / 256


def training_config(name: str) -> dict:
    """Return one of its training configurations, for instance ``fastspeech2``."""
    folder = espnet_root() / "egs2/ljspeech/tts1/conf/tuning"
    return yaml.safe_load((folder / f"train_{name}.yaml").read_text(encoding="utf-8"))
