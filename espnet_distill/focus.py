"""How sharply an attention looks at one token at a time."""

import torch


def focus_rate(
    attention: torch.Tensor, steps: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Return the focus rate (B, H): the mean over steps of the largest weight.

    From FastSpeech (Ren et al. 2019, arXiv:1905.09263, section 3.2), which picks the
    head that aligns text and speech by it.

    Args:
        attention: Weights (B, H, T, T_text) that sum to 1 over the text.
        steps: Decoder steps (B,).
        tokens: Tokens (B,).
    """
    places = torch.arange(attention.size(3), device=attention.device)
    padding = places >= tokens.unsqueeze(1)
    largest = attention.masked_fill(padding[:, None, None], 0).amax(3)
    times = torch.arange(attention.size(2), device=attention.device)
    beyond = times >= steps.unsqueeze(1)
    return largest.masked_fill(beyond[:, None], 0).sum(2) / steps.unsqueeze(1)


def most_focused(
    attention: torch.Tensor, steps: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Return the head (B, T, T_text) of the highest focus rate of each utterance."""
    best = focus_rate(attention, steps, tokens).argmax(1)
    return attention[torch.arange(len(attention), device=best.device), best]
