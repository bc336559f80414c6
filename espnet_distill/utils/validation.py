"""Checks for NaN, infinity and state dicts."""

from collections.abc import Mapping

from espnet_distill.errors import ConfigError


def is_finite(values) -> bool:
    """Return True if a tensor, an array or a number has neither NaN nor infinity."""
    import torch

    tensor = torch.as_tensor(values)
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    return bool(torch.isfinite(tensor).all())


def require_finite(values: Mapping, where: str, remedy: str) -> None:
    """Raise a ConfigError if any of several named values holds NaN or infinity.

    Args:
        values: Name → tensor, array or number.
        where: The file or model of the values, a prefix of the message.
        remedy: A suffix of the message.

    Raises:
        ConfigError: Values are not finite; the first three are named.
    """
    wrong = [name for name, value in values.items() if not is_finite(value)]
    if wrong:
        named = ", ".join(wrong[:3]) + (", …" if len(wrong) > 3 else "")
        raise ConfigError(f"{where}: NaN or infinity in {named}; {remedy}")


def is_state_dict(value) -> bool:
    """Return True if a value is a mapping of names to dense tensors."""
    import torch

    return isinstance(value, dict) and all(
        isinstance(name, str)
        and torch.is_tensor(tensor)
        and tensor.layout is torch.strided
        for name, tensor in value.items()
    )
