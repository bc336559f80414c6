"""A waveform in pieces, each of which is what it is in the whole."""

from collections.abc import Iterator

import torch

from espnet_distill.errors import ConfigError

PROBE = 256  # frames, more than any generator looks to either side


def context_of(generator: torch.nn.Module, n_mels: int) -> int:
    """Return how many frames to either side a frame's samples depend on.

    One frame in the middle is not a number: nor is any sample that it has part in.

    Args:
        generator: (1, n_mels, T) to (1, 1, T * samples a frame).
        n_mels: What it reads.
    """
    feats = torch.zeros(1, n_mels, 2 * PROBE + 1)
    feats[..., PROBE] = torch.nan
    with torch.no_grad():
        wave = generator(feats).view(-1)
    reached = wave.isnan().nonzero().view(-1) // (len(wave) // feats.size(-1))
    return max(PROBE - int(reached[0]), int(reached[-1]) - PROBE)


def require_chunk(chunk: int, context: int, whose: str = "this vocoder") -> None:
    """Raise a ConfigError if a chunk is shorter than what its vocoder looks ahead."""
    least = max(context, 1)
    if chunk < least:
        raise ConfigError(
            f"chunk: {chunk} frames are fewer than the {least} that {whose} looks "
            f"ahead; give {least} or more"
        )


def pieces(frames: int, chunk: int, context: int) -> Iterator[tuple[slice, slice]]:
    """Yield which frames to speak and, of those, which to keep, for each piece.

    Raises:
        ConfigError: A chunk shorter than the context.
    """
    require_chunk(chunk, context)
    for start in range(0, frames, chunk):
        end = min(start + chunk, frames)
        first, last = max(start - context, 0), min(end + context, frames)
        yield slice(first, last), slice(start - first, end - first)
