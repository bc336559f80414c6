"""What a model weighs."""

from pathlib import Path


def parameters(tts) -> int:
    """Count the parameters of an ESPnet ``tts`` module that synthesis needs.

    A GAN model (VITS, JETS) also holds its discriminator, which is left out.
    """
    return sum(p.numel() for p in getattr(tts, "generator", tts).parameters())


def size_mb(checkpoint: Path) -> float:
    """Size of a checkpoint file in MB (1e6 bytes)."""
    return checkpoint.stat().st_size / 1e6
