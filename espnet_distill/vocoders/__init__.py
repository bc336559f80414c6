"""Waveform generators for mel spectrograms: HiFi-GAN checkpoints and Griffin-Lim."""

from espnet_distill.vocoders.build import (
    build_vocoder,
    check_vocoder,
    is_none,
    load_vocoder,
)

__all__ = ["build_vocoder", "check_vocoder", "is_none", "load_vocoder"]
