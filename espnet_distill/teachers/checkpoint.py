"""Find, unpack and strictly load trained ESPnet experiments."""

import re
from pathlib import Path

from espnet_distill.errors import ConfigError, in_one_line
from espnet_distill.files import read_yaml
from espnet_distill.teachers.front_end import require_bpemodel
from espnet_distill.teachers.model_zoo import explain_missing, fetch, is_tag
from espnet_distill.teachers.unpack import unpack_into_cache

# ESPnet's names, the one that tts.sh decodes with first.
USUAL_NAMES = (
    "train.loss.ave.pth",
    "valid.loss.ave.pth",
    "train.loss.best.pth",
    "valid.loss.best.pth",
    "train.total_count.ave.pth",
)


def find_experiment(
    experiment, usual: tuple[str, ...] = USUAL_NAMES
) -> tuple[Path, Path]:
    """Return the configuration and the checkpoint of a trained experiment.

    Args:
        experiment: A folder with `config.yaml` and a checkpoint: one of the usual
            names, or a single `.pth` of any other name, or of a single epoch, which
            ESPnet's averages of one epoch link to and `pack` puts in their place. Or a
            `.pth` with `config.yaml` beside it; a mapping with `config` and `model`; a
            packed `.zip`; `hub:owner/name` or `hub:owner/name@revision` of the Hugging
            Face hub, or a name in the model zoo's table.
        usual: The usual names, the one that is preferred first.

    Raises:
        ConfigError: No such folder, no configuration, no checkpoint, or several.
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
            return find_experiment(unpack_into_cache(folder), usual)
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
    others = [path for path in paths if not _is_of_an_epoch(path)] or paths
    if len(others) != 1:
        found = ", ".join(path.name for path in others) or "none"
        raise ConfigError(
            f"{folder}: expected one checkpoint (.pth), found {found}; "
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


def _is_of_an_epoch(path: Path) -> bool:
    return re.fullmatch(r"\d+epoch\.pth", path.name) is not None


def read_config(config: Path) -> dict:
    """Return an experiment's configuration, or raise a ConfigError that names it."""
    conf = read_yaml(config)
    if conf is None:
        raise ConfigError(f"{config}: is empty; it is no ESPnet TTS configuration")
    if not isinstance(conf, dict) or "tts" not in conf:
        raise ConfigError(f"{config}: no `tts` key; it is no ESPnet TTS configuration")
    return conf


def config_of(experiment) -> dict:
    """Return the configuration of what `find_experiment` takes."""
    config, _ = find_experiment(experiment)
    return read_config(config)


def load_experiment(config: Path, checkpoint: Path):
    """Build a trained model with ESPnet's own loader, and see that nothing is left out.

    Returns:
        The ESPnetTTSModel, in eval mode, and its configuration as a namespace.

    Raises:
        ConfigError: A checkpoint that is truncated or of another kind, or whose keys
            or shapes differ from the model's; a sentencepiece model that is missing.
    """
    from espnet2.tasks.tts import TTSTask

    require_bpemodel(read_config(config), str(config))
    state = load_weights(checkpoint)
    try:
        model, args = TTSTask.build_model_from_file(config, checkpoint)
    except Exception as error:  # whatever the class named in the configuration raises
        raise ConfigError(
            f"{config}: cannot build the model: {in_one_line(error)}"
        ) from error
    _require_same_keys(set(model.state_dict()), set(state), checkpoint)
    return model.eval(), args


def load_weights(checkpoint: Path) -> dict:
    """Return a checkpoint's tensors by name; no code that is in it is run.

    Raises:
        ConfigError: A checkpoint that is truncated, or holds anything else.
    """
    import torch

    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and I/O each raise their own
        reason = str(error).partition(". ")[0] or type(error).__name__
        reason = " ".join(reason.split())
        raise ConfigError(
            f"{checkpoint}: not a readable checkpoint ({reason}); copy it again"
        ) from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        raise ConfigError(
            f"{checkpoint}: not a model's weights alone; name an epoch's .pth"
        )
    return state


def _require_same_keys(wanted: set[str], found: set[str], checkpoint: Path) -> None:
    for kind, keys in (("lacks", wanted - found), ("has unexpected", found - wanted)):
        if keys:
            first = ", ".join(sorted(keys)[:3])
            raise ConfigError(
                f"{checkpoint}: {kind} {len(keys)} keys of the model that "
                f"config.yaml describes, e.g. {first}"
            )
