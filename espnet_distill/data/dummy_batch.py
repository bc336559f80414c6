"""A dummy batch for shape inference and tracing."""

import inspect

import torch
from espnet2.tts.abs_tts import AbsTTS

TOKENS = 4  # of a dummy sentence, without the end-of-sentence token


def dummy_batch(
    tts: AbsTTS, tokens: int = TOKENS, steps_per_token: int = 12
) -> dict[str, torch.Tensor]:
    """Return a batch of one dummy sentence for a model's forward pass.

    With the default lengths, the numbers of tokens, decoder steps and frames differ.

    Args:
        tts: The model; the batch has the arguments of its ``forward``.
        tokens: Tokens without the end-of-sentence token.
        steps_per_token: Decoder steps per token.
    """
    num_tokens = tokens + 1  # with the end-of-sentence token
    frames = num_tokens * steps_per_token * getattr(tts, "reduction_factor", 1)
    parameter = next(tts.parameters())

    def integers(*shape):
        return torch.ones(shape, dtype=torch.long, device=parameter.device)

    def floats(*shape):
        return torch.zeros(shape, dtype=parameter.dtype, device=parameter.device)

    batch = {
        "text": integers(1, tokens),
        "text_lengths": integers(1) * tokens,
        "feats": floats(1, frames, tts.odim),
        "feats_lengths": integers(1) * frames,
        "durations": integers(1, num_tokens) * steps_per_token,
        "durations_lengths": integers(1) * num_tokens,
        "pitch": floats(1, num_tokens, 1),
        "pitch_lengths": integers(1) * num_tokens,
        "energy": floats(1, num_tokens, 1),
        "energy_lengths": integers(1) * num_tokens,
    }
    if getattr(tts, "spk_embed_dim", None):
        batch["spembs"] = floats(1, tts.spk_embed_dim) + 1
    if getattr(tts, "spks", None):
        batch["sids"] = integers(1, 1) * 0
    if getattr(tts, "langs", None):
        batch["lids"] = integers(1, 1) * 0
    arguments = inspect.signature(tts.forward).parameters
    return {name: value for name, value in batch.items() if name in arguments}
