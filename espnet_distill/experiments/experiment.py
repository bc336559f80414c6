"""Locate trained ESPnet experiments and load them strictly."""

import logging
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.experiments.archive import unpack_into_cache, with_own_names
from espnet_distill.experiments.config_kinds import require_kinds
from espnet_distill.experiments.model_zoo import (
    FETCHED,
    describe_fetched,
    explain_missing,
    fetch,
    is_tag,
)
from espnet_distill.experiments.portable_config import write_portable
from espnet_distill.experiments.text_frontend import require_bpemodel
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.files import read_yaml, write_text, written_whole
from espnet_distill.utils.validation import is_state_dict, require_finite

# ESPnet's checkpoint names, in order of preference; the first is tts.sh's default.
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


def read_config(config: Path) -> dict:
    """Read an experiment's configuration and check the types of its values.

    Raises:
        ConfigError: The file cannot be read, is no TTS configuration, or has values of
            a wrong type; one line per value.
    """
    conf = read_keys(config)
    require_kinds(conf, f"{config}: ")
    return conf | {"tts_conf": conf.get("tts_conf") or {}}


def read_keys(config: Path) -> dict:
    """Read a configuration as `read_config` does, without checking its values."""
    conf = read_yaml(config)
    if conf is None:
        raise ConfigError(f"{config}: is empty; it is no ESPnet TTS configuration")
    if not isinstance(conf, dict) or "tts" not in conf:
        raise ConfigError(f"{config}: no `tts` key; it is no ESPnet TTS configuration")
    return conf


def config_of(experiment) -> dict:
    """Return the configuration of an experiment, in any form of `find_experiment`."""
    config, _ = find_experiment(experiment)
    return read_config(config)


def load_experiment(config: Path, checkpoint: Path):
    """Build a trained model with ESPnet's loader; check that every weight is loaded.

    Args:
        config: The configuration.
        checkpoint: The weights.

    Returns:
        The ESPnetTTSModel, in eval mode, and its configuration as a namespace.

    Raises:
        ConfigError: The checkpoint is truncated, is no state dict, holds NaN or
            infinity, or differs from the model in keys or shapes; the sentencepiece
            model is missing; or the statistics are invalid.
    """
    from espnet2.tasks.tts import TTSTask

    from espnet_distill.experiments.statistics import require_statistics

    conf = read_config(config)
    require_bpemodel(conf, str(config))
    state = load_weights(checkpoint)
    require_statistics(conf, f"{config}: ")
    try:
        model, args = TTSTask.build_model_from_file(config, checkpoint)
    except Exception as error:  # any exception of the class named in the configuration
        raise ConfigError(
            f"{config}: cannot build the model: {summarize(error)}"
        ) from error
    require_all_weights(model, state, checkpoint)
    return model.eval(), args


def load_weights(checkpoint: Path, device: str = "cpu") -> dict:
    """Return a checkpoint's state dict; pickled code is not run.

    As in ESPnet's loader, wrappers of DeepSpeed and Lightning are removed.

    Args:
        checkpoint: The file.
        device: The device of the tensors; on ``meta`` they have shapes and types only.

    Raises:
        ConfigError: The checkpoint is truncated, is no state dict, holds NaN or
            infinity, or has the key prefix of DataParallel.
    """
    import torch

    try:
        state = torch.load(checkpoint, map_location=device, weights_only=True)
    except Exception as error:  # zip, pickle and I/O errors differ in class
        reason = str(error).partition(". ")[0] or type(error).__name__
        reason = " ".join(reason.split())
        raise ConfigError(
            f"{checkpoint}: not a readable checkpoint ({reason}); copy it again"
        ) from error
    for wrapper in ("module", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not is_state_dict(state):
        raise ConfigError(
            f"{checkpoint}: not a model's weights alone; name an epoch's .pth"
        )
    if state and all(key.startswith("module.") for key in state):
        raise ConfigError(
            f"{checkpoint}: all names begin with 'module.', which DataParallel puts "
            "there and ESPnet passes over; save the state_dict() of model.module"
        )
    if device != "meta":
        remedy = "name a checkpoint that did not diverge"
        require_finite(state, str(checkpoint), remedy)
    return state


def require_all_weights(model, state: dict, checkpoint: Path) -> None:
    """Load a state dict into a model, and raise a ConfigError unless all keys match.

    Tensors that ESPnet recomputes may be missing or superfluous: those that load hooks
    handle, such as the positional encodings of old checkpoints, and buffers that follow
    from the configuration, such as the weights of a loss. They are logged.

    Args:
        model: The module, built from its configuration.
        state: The state dict.
        checkpoint: The file, for messages.

    Raises:
        ConfigError: Trained parameters or statistics are missing, or there are tensors
            that the model does not have.
    """
    missing, unexpected = model.load_state_dict(state, strict=False)
    for kind, keys, is_computed in (
        ("lacks", missing, is_fixed_buffer),
        ("has unexpected", unexpected, _is_computed_attribute),
    ):
        wrong = sorted(key for key in keys if not is_computed(model, key))
        if wrong:
            raise ConfigError(
                f"{checkpoint}: {kind} {len(wrong)} keys of the model that "
                f"config.yaml describes, e.g. {', '.join(wrong[:3])}"
            )
    expected, loaded = set(model.state_dict()), set(state)
    for kind, keys in (
        ("lacks", expected - loaded),
        ("is passed over", loaded - expected),
    ):
        if keys:
            logging.warning(
                f"{checkpoint}: {kind}: {', '.join(sorted(keys))}; the model computes "
                "it from its configuration"
            )


def is_fixed_buffer(model, key: str) -> bool:
    """Return True for a buffer that the configuration determines, not training."""
    from torch.nn.modules.batchnorm import _NormBase

    path, _, name = key.rpartition(".")
    owner = model.get_submodule(path)
    if isinstance(owner, _NormBase):
        return name == "num_batches_tracked"
    is_buffer = name in dict(owner.named_buffers(recurse=False))
    return is_buffer and not list(owner.parameters(recurse=False))


def _is_computed_attribute(model, key: str) -> bool:
    """Return True for a tensor attribute that a module computes and does not save."""
    import torch

    path, _, name = key.rpartition(".")
    try:
        return torch.is_tensor(getattr(model.get_submodule(path), name, None))
    except AttributeError:  # no such submodule
        return False


def adopt(experiment: str, out: Path) -> Path:
    """Create a writable experiment folder for a trained model; return the folder.

    `config.yaml` names files by absolute paths; files of the front end and of the
    normalization are copied under fixed names; the checkpoint is a link. tts.sh can
    thus decode with a model of the model zoo outside the zoo's cache. A second call
    updates the folder. For a tag, `fetched.yaml` records the model that it resolved to.

    Args:
        experiment: An experiment, in any form of ``find_experiment``.
        out: The folder.

    Raises:
        ConfigError: There is no such experiment.
    """
    config, checkpoint = find_experiment(experiment)
    link, model = out / USUAL_NAMES[0], checkpoint.resolve()
    conf = with_own_names(read_config(config), _copy_to(out), out.absolute())
    write_portable(conf, out / "config.yaml")
    if link.resolve() != model:
        if is_tag(experiment):
            record = describe_fetched(experiment, checkpoint)
            record |= {"sha256": checksum(model)}
            write_text(out / FETCHED, yaml.safe_dump(record, sort_keys=False))
        with written_whole(link) as beside:
            os.symlink(model, beside)
    return out


def _copy_to(out: Path) -> Callable[[str, str], bool]:
    def copy(source: str, name: str) -> bool:
        if not Path(source).is_file():
            return False
        with written_whole(out / name) as beside:
            shutil.copyfile(source, beside)
        return True

    return copy


STATISTICS = {
    "normalize_conf": "feats",
    "pitch_normalize_conf": "pitch",
    "energy_normalize_conf": "energy",
}
