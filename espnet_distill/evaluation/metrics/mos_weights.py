"""Where packages that fetch their weights themselves keep them.

They are looked up before anything is measured: the processes that measure would each
begin to fetch them.
"""

from pathlib import Path


def utmos() -> Path | None:
    """Return the file that utmos-pytorch has fetched; None if it has not."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache("Blinorot/UTMOS-PyTorch", "utmos_state_dict.pt")
    return Path(found) if isinstance(found, str) else None


def nisqa() -> Path | None:
    """Return the file that torchmetrics has fetched; None if it has not."""
    path = Path("~/.torchmetrics/NISQA/nisqa.tar").expanduser()
    return path if path.is_file() else None
