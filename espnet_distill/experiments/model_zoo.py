"""Models of the Hugging Face hub and of the model zoo, through espnet_model_zoo.

A path that does not exist is no tag: the hub is asked only for ``hub:owner/name`` and
for names that stand in the zoo's own table.
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


FETCHED = "fetched.yaml"  # what a tag led to, beside the experiment made of it


def is_tag(name: str) -> bool:
    """Tell `hub:espnet/kan-bayashi_ljspeech_vits`, or a name in the zoo's table."""
    return name.startswith(HUB) or name in zoo_table()


def explain_missing(name: str) -> str:
    """Say that there is no such experiment, and how a model of the hub is named."""
    line = f"{name}: no such experiment folder"
    owner, _, model = name.partition("/")
    is_recipes = owner in RECIPE_FOLDERS or Path(owner).exists()
    if owner and model and "/" not in model and not is_recipes:
        line += f"; if it is a model of the Hugging Face hub, name it {HUB}{name}"
    return line


@functools.cache
def zoo_table() -> dict[str, str]:
    """Return the URLs of espnet_model_zoo's table by name."""
    package = importlib.util.find_spec("espnet_model_zoo")
    if package is None:
        return {}
    table = Path(package.submodule_search_locations[0]) / "table.csv"
    if not table.is_file():
        return {}
    rows = csv.DictReader(read_text(table).split("\n"))
    return {row["name"]: row["url"] for row in rows}


def fetch(tag: str) -> tuple[Path, Path]:
    """Return configuration and checkpoint of a tag.

    Raises:
        ConfigError: No such model, no network, or no TTS model.
    """
    found = fetch_files(tag)
    if not {"train_config", "model_file"} <= found.keys():
        raise ConfigError(f"{tag}: is no TTS model")
    return Path(found["train_config"]), Path(found["model_file"])


@functools.cache
def fetch_files(tag: str) -> dict[str, str]:
    """Return the files of a tag by ESPnet's names; the hub is asked once a process.

    Raises:
        ConfigError: A tag that is none, no such model, or no network.
    """
    if tag not in zoo_table() and not TAG.fullmatch(tag):
        raise ConfigError(
            f"{tag}: is no tag; name {HUB}owner/model, or {HUB}owner/model@revision"
        )
    try:
        from espnet_model_zoo.downloader import ModelDownloader

        name = tag.replace(HUB, HUB_URL, 1)
        with contextlib.redirect_stdout(io.StringIO()):  # it greets
            found = ModelDownloader().download_and_unpack(name)
        return {key: str(path) for key, path in found.items()}
    except Exception as error:  # network, table, hub and zip each raise their own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ConfigError(
            f"{tag}: espnet_model_zoo cannot fetch it ({reason}); check the name and "
            "the network"
        ) from error


def describe_fetched(tag: str, model: Path) -> dict:
    """Describe what a tag led to: its name, and the commit of the hub or the zoo's URL.

    Args:
        tag: As it was asked for.
        model: The checkpoint, in the hub's cache or the zoo's.
    """
    name, _, pinned = tag.removeprefix(HUB).partition("@")
    if tag in zoo_table():
        return {"name": name, "url": zoo_table()[tag]}
    commit = re.search(r"/snapshots/([^/]+)/", str(model.absolute()))
    return {"name": name, "revision": commit[1] if commit else pinned or None}
