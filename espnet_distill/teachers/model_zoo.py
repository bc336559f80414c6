"""Model-zoo and Hugging Face tags, through espnet_model_zoo."""

import contextlib
import functools
import io
from pathlib import Path

from espnet_distill.errors import ConfigError


def is_tag(name: str) -> bool:
    """Tell a tag such as `espnet/kan-bayashi_ljspeech_vits` from a folder's path."""
    owner, _, model = name.partition("/")
    if not owner or not model or "/" in model:
        return False
    return not owner.startswith((".", "~")) and not Path(owner).exists()


@functools.cache
def fetch(tag: str) -> tuple[Path, Path]:
    """Return configuration and checkpoint of a tag; the hub is asked once a process.

    Raises:
        ConfigError: No such model, no network, or no TTS model.
    """
    try:
        from espnet_model_zoo.downloader import ModelDownloader

        with contextlib.redirect_stdout(io.StringIO()):  # it greets
            found = ModelDownloader().download_and_unpack(tag)
        return Path(found["train_config"]), Path(found["model_file"])
    except Exception as error:  # network, table, hub and zip each raise their own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ConfigError(
            f"{tag}: neither an experiment folder nor a model that espnet_model_zoo "
            f"can fetch ({reason})"
        ) from error
