"""Locate the configuration and the checkpoint of a trained experiment."""

import re
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.archive import unpack_into_cache
from espnet_distill.experiments.model_zoo import explain_missing, fetch, is_tag

# ESPnet's checkpoint names, in order of preference; the first is tts.sh's default.
USUAL_NAMES = (
    "train.loss.ave.pth",
    "valid.loss.ave.pth",
    "train.loss.best.pth",
    "valid.loss.best.pth",
    "train.total_count.ave.pth",
)


def locate(experiment, usual: tuple[str, ...] = USUAL_NAMES) -> tuple[Path, Path]:
    """Return the configuration and the checkpoint of a trained experiment.

    Args:
        experiment: One of

            - a folder with `config.yaml` and a checkpoint: one of the usual names, else
              the only `.pth` of another name, else that of the only epoch (an average
              of one epoch links to it, and `pack` stores it instead);
            - a `.pth` with `config.yaml` beside it;
            - a mapping with `config` and `model`;
            - a packed `.zip`;
            - `hub:owner/name` or `hub:owner/name@revision` of the Hugging Face hub, or
              a name in the model zoo's table.
        usual: The usual checkpoint names, in order of preference.

    Raises:
        ConfigError: There is no such folder, no configuration, no checkpoint, or there
            are several checkpoints.
    """
    if isinstance(experiment, dict):
        return _find_pair(experiment)
    if not isinstance(experiment, (str, Path)):
        raise ConfigError(f"teacher: expected a folder or a tag, got {experiment!r}")
    folder = Path(experiment)
    if folder.suffix == ".pth":
        return _find_pair({"config": folder.with_name("config.yaml"), "model": folder})
    if not folder.is_dir():
        if folder.suffix == ".zip":
            return locate(unpack_into_cache(folder), usual)
        if is_tag(str(experiment)):
            return fetch(str(experiment))
        raise ConfigError(explain_missing(str(experiment)))
    config = folder / "config.yaml"
    if not config.is_file():
        raise ConfigError(
            f"{folder}: no config.yaml in it; is it an ESPnet experiment?"
        )
    for name in usual:
        if (folder / name).is_file():
            return config, folder / name
    paths = sorted(folder.glob("*.pth"))
    paths = [path for path in paths if path.is_file() and path.name != "checkpoint.pth"]
    others = [path for path in paths if not _is_epoch_checkpoint(path)] or paths
    if len(others) != 1:
        names = ", ".join(path.name for path in others) or "none"
        raise ConfigError(
            f"{folder}: expected one checkpoint (.pth), found {names}; "
            f"link the one to use as {usual[0]}"
        )
    return config, others[0]


def _find_pair(pair: dict) -> tuple[Path, Path]:
    are_paths = all(isinstance(path, (str, Path)) for path in pair.values())
    if set(pair) != {"config", "model"} or not are_paths:
        raise ConfigError(
            f"teacher: expected {{config: …yaml, model: ….pth}}, got {pair!r}"
        )
    config, model = Path(pair["config"]), Path(pair["model"])
    for path in (config, model):
        if not path.is_file():
            raise ConfigError(f"{path}: no such file")
    return config, model


def _is_epoch_checkpoint(path: Path) -> bool:
    return re.fullmatch(r"\d+epoch\.pth", path.name) is not None
