"""Download models of the Hugging Face hub and the model zoo with espnet_model_zoo.

A path that does not exist is no tag: requests are sent only for ``hub:owner/name`` and
for names in the table of espnet_model_zoo.
"""

import contextlib
import csv
import functools
import importlib.util
import io
import re
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import read_text

HUB = "hub:"


HUB_URL = "https://huggingface.co/"


TAG = re.compile(r"hub:\w[\w.-]*/\w[\w.-]*(@\w[\w./-]*)?", re.ASCII)


RECIPE_FOLDERS = ("conf", "data", "downloads", "dump", "exp", "pretrained")


FETCHED = "fetched.yaml"  # the model that a tag resolved to, beside the experiment


def is_tag(name: str) -> bool:
    """Return True for a tag of the hub, or a name in the table of espnet_model_zoo.

    Example: `hub:espnet/kan-bayashi_ljspeech_vits`.
    """
    return name.startswith(HUB) or name in zoo_table()


def explain_missing(name: str) -> str:
    """Return the message for a missing experiment, with the form of a hub tag."""
    line = f"{name}: no such experiment folder"
    owner, _, model = name.partition("/")
    is_recipes = owner in RECIPE_FOLDERS or Path(owner).exists()
    if owner and model and "/" not in model and not is_recipes:
        line += f"; if it is a model of the Hugging Face hub, name it {HUB}{name}"
    return line


@functools.cache
def zoo_table() -> dict[str, str]:
    """Return the table of espnet_model_zoo: name → URL."""
    package = importlib.util.find_spec("espnet_model_zoo")
    if package is None:
        return {}
    table = Path(package.submodule_search_locations[0]) / "table.csv"
    if not table.is_file():
        return {}
    rows = csv.DictReader(read_text(table).split("\n"))
    return {row["name"]: row["url"] for row in rows}


def fetch(tag: str) -> tuple[Path, Path]:
    """Download a model; return its configuration and its checkpoint.

    Raises:
        ConfigError: There is no such model, no network, or it is no TTS model.
    """
    files = fetch_files(tag)
    if not {"train_config", "model_file"} <= files.keys():
        raise ConfigError(f"{tag}: is no TTS model")
    return Path(files["train_config"]), Path(files["model_file"])


@functools.cache
def fetch_files(tag: str) -> dict[str, str]:
    """Download a model; return its files by ESPnet's names. Cached within a process.

    Raises:
        ConfigError: The tag is invalid, there is no such model, or no network.
    """
    if tag not in zoo_table() and not TAG.fullmatch(tag):
        raise ConfigError(
            f"{tag}: is no tag; name {HUB}owner/model, or {HUB}owner/model@revision"
        )
    try:
        from espnet_model_zoo.downloader import ModelDownloader

        name = tag.replace(HUB, HUB_URL, 1)
        with contextlib.redirect_stdout(io.StringIO()):  # its greeting
            files = ModelDownloader().download_and_unpack(name)
        return {key: str(path) for key, path in files.items()}
    except Exception as error:  # network, hub and zip errors differ in class
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ConfigError(
            f"{tag}: espnet_model_zoo cannot fetch it ({reason}); check the name and "
            "the network"
        ) from error


def describe_fetched(tag: str, model: Path) -> dict:
    """Return the name of a downloaded model, with its hub revision or its zoo URL.

    Args:
        tag: The tag.
        model: The checkpoint, in the cache of the hub or of the zoo.
    """
    name, _, pinned = tag.removeprefix(HUB).partition("@")
    if tag in zoo_table():
        return {"name": name, "url": zoo_table()[tag]}
    commit = re.search(r"/snapshots/([^/]+)/", str(model.absolute()))
    return {"name": name, "revision": commit[1] if commit else pinned or None}
