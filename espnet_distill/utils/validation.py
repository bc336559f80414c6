"""Refuse numbers that are NaN or infinite."""

from collections.abc import Mapping

from espnet_distill.errors import ConfigError


def is_finite(values) -> bool:
    """Return whether a tensor, an array or a number is neither NaN nor infinite."""
    import torch

    tensor = torch.as_tensor(values)
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    return bool(torch.isfinite(tensor).all())


def require_finite(values: Mapping, where: str, remedy: str) -> None:
    """Refuse tensors or arrays, by name, of which any holds NaN or infinity.

    Args:
        values: Name → tensor, array or number.
        where: The file or model that they are from, which the message begins with.
        remedy: What to do, which the message ends with.

    Raises:
        ConfigError: Some are not finite; the first three are named.
    """
    wrong = [name for name, value in values.items() if not is_finite(value)]
    if wrong:
        named = ", ".join(wrong[:3]) + (", …" if len(wrong) > 3 else "")
        raise ConfigError(f"{where}: NaN or infinity in {named}; {remedy}")


def is_state_dict(value) -> bool:
    """Return whether a value has names for keys and dense tensors for values."""
    import torch

    return isinstance(value, dict) and all(
        isinstance(name, str) and torch.is_tensor(one) and one.layout is torch.strided
        for name, one in value.items()
    )
