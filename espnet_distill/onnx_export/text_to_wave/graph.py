"""Piper's inputs to a waveform, of a model without an end of the sentence."""

import torch
from torch import nn

from espnet_distill.onnx_export.graph import amplified, frames_of_ids, mask_of_kept
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds


class TextToWaveGraph(nn.Module):
    """A text-to-waveform model with the inputs of Piper's voices.

    A subclass computes waveform and durations of tokens in `synthesize`.

    Args:
        vocabulary: Number of tokens.
        symbols: What the ids stand for.
        gain: Factor of the waveform, at least 1.
    """

    def __init__(self, vocabulary: int, symbols: PhonemeIds, gain: float):
        super().__init__()
        self.gain = gain
        kept = mask_of_kept(vocabulary, symbols.dropped)
        self.drops = not kept.all()
        self.register_buffer("kept", kept)
        self.register_buffer("silence", torch.tensor([symbols.tokens[0]]))

    def forward(
        self,
        input: torch.Tensor,
        input_lengths: torch.Tensor,
        scales: torch.Tensor,
        sid: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Synthesize a waveform.

        Args:
            input: Ids (1, N) of a sentence, with padding.
            input_lengths: Number of ids (1,).
            scales: Noise of the latents, length, and noise of the durations (3,).
            sid: Speaker id (1,), of several.

        Returns:
            The waveform (1, 1, T * hop), and the frames of each id (1, N).
        """
        tokens = ids = input[0, : input_lengths[0]]
        kept = self.kept[ids]
        if self.drops:
            none = (kept.long().sum() == 0).long()
            tokens = torch.cat((ids[kept], self.silence[:none]))
        wave, durations = self.synthesize(tokens[None], scales, sid)
        wave = amplified(wave, self.gain)
        if self.drops:
            durations = torch.cat((durations, torch.zeros_like(durations[:1])))
            return wave, frames_of_ids(kept, durations)
        return wave, durations[None]

    def synthesize(
        self, tokens: torch.Tensor, scales: torch.Tensor, sid: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the waveform (1, T * hop) of tokens (1, N), and their frames (N,)."""
        raise NotImplementedError
