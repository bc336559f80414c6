"""Read checkpoints and load them strictly."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.validation import is_state_dict, require_finite


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


def cast_like(state: Mapping, like: Mapping) -> dict:
    """Return a state dict in the precision of another one.

    Tensors of the same name get the same dtype; floating-point weights of other names
    get the most common dtype of weights.
    """
    weights = (tensor for name, tensor in like.items() if name.startswith("tts."))
    dtypes = Counter(one.dtype for one in weights if one.is_floating_point())
    usual = dtypes.most_common(1)[0][0] if dtypes else None
    cast = {}
    for name, tensor in state.items():
        is_weight = name.startswith("tts.") and tensor.is_floating_point()
        dtype = like[name].dtype if name in like else usual if is_weight else None
        cast[name] = tensor.to(dtype or tensor.dtype)
    return cast
