"""Synthesis in pieces that equal those of the whole waveform."""

from collections.abc import Iterator

import torch

from espnet_distill.errors import ConfigError

PROBE = 256  # frames, more than the context of any generator


def context_of(generator: torch.nn.Module, n_mels: int) -> int:
    """Return the number of frames to either side on which a frame's samples depend.

    Measured with NaN in one frame, which makes all dependent samples NaN.

    Args:
        generator: (1, n_mels, T) to (1, 1, T * samples a frame).
        n_mels: Number of mels.
    """
    feats = torch.zeros(1, n_mels, 2 * PROBE + 1)
    feats[..., PROBE] = torch.nan
    with torch.no_grad():
        wave = generator(feats).view(-1)
    dependent = wave.isnan().nonzero().view(-1) // (len(wave) // feats.size(-1))
    return max(PROBE - int(dependent[0]), int(dependent[-1]) - PROBE)


def require_chunk(chunk: int, context: int, whose: str = "this vocoder") -> None:
    """Raise a ConfigError if a chunk is shorter than the look-ahead of its vocoder."""
    least = max(context, 1)
    if chunk < least:
        raise ConfigError(
            f"chunk: {chunk} frames are fewer than the {least} of the look-ahead of "
            f"{whose}; give {least} or more"
        )


def pieces(frames: int, chunk: int, context: int) -> Iterator[tuple[slice, slice]]:
    """Yield for each piece the frames to synthesize and, within them, those to keep.

    Raises:
        ConfigError: A chunk shorter than the context.
    """
    require_chunk(chunk, context)
    for start in range(0, frames, chunk):
        end = min(start + chunk, frames)
        first, last = max(start - context, 0), min(end + context, frames)
        yield slice(first, last), slice(start - first, end - first)
