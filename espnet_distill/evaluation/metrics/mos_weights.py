"""Locate weights that packages download themselves.

They are looked up before measuring: otherwise each worker process would start a
download.
"""

from pathlib import Path


def utmos() -> Path | None:
    """Return the file that utmos-pytorch has downloaded; None without one."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache("Blinorot/UTMOS-PyTorch", "utmos_state_dict.pt")
    return Path(path) if isinstance(path, str) else None


def nisqa() -> Path | None:
    """Return the file that torchmetrics has downloaded; None without one."""
    path = Path("~/.torchmetrics/NISQA/nisqa.tar").expanduser()
    return path if path.is_file() else None
