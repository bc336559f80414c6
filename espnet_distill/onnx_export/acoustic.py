"""Inference modules of text-to-mel models: token ids to log-mels and durations."""

import torch
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from torch import nn

from espnet_distill.onnx_export.layers import replace_layers


class FastSpeechModule(nn.Module):
    """FastSpeech of one sentence, with ESPnet's encoder, predictor and decoder.

    Args:
        tts: The trained model, which is changed in place.
        language: Its language id, if it has several languages.
    """

    def __init__(self, tts: FastSpeech, language: int | None = None):
        super().__init__()
        self.tts = replace_layers(tts.eval())
        self.language = language
        self.reduction_factor = tts.reduction_factor

    def forward(
        self,
        tokens: torch.Tensor,
        length_scale: torch.Tensor,
        speaker: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute log-mels, normalized as in training, and durations.

        Args:
            tokens: Token ids with the end of the sentence (1, N).
            length_scale: Factor of the durations (1,).
            speaker: Speaker id (1,).

        Returns:
            Log-mels (1, T, odim), and the frames of each token (N,).
        """
        states, _ = self.tts.encoder(tokens, None)
        states = self._condition(states, speaker)
        durations = self._durations(states, length_scale)
        states = regulate(self._vary(states), durations)
        states, _ = self.tts.decoder(states, None)
        mels = self.tts.feat_out(states).view(1, -1, self.tts.odim)
        if self.tts.postnet is not None:
            mels = mels + self.tts.postnet(mels.transpose(1, 2)).transpose(1, 2)
        return mels, durations * self.reduction_factor

    def _condition(self, states, speaker) -> torch.Tensor:
        """Add the embeddings of speaker and language."""
        if self.tts.spks is not None:
            states = states + self.tts.sid_emb(speaker)
        if self.tts.langs is not None:
            states = states + self.tts.lid_emb.weight[self.language]
        return states

    def _durations(self, states, length_scale) -> torch.Tensor:
        """Return frames of each token (N,), rounded as ESPnet does.

        If all are zero, each token gets one frame.
        """
        predictor = self.tts.duration_predictor
        frames = (predictor(states)[0].exp() - predictor.offset).round().clamp(min=0)
        frames = (frames * length_scale.clamp(min=0)).round().long()
        return torch.where(frames.sum() == 0, torch.ones_like(frames), frames)

    def _vary(self, states: torch.Tensor) -> torch.Tensor:
        return states


class FastSpeech2Module(FastSpeechModule):
    """FastSpeech2 of one sentence."""

    def _vary(self, states: torch.Tensor) -> torch.Tensor:
        """Add the embeddings of predicted pitch and energy."""
        added = states
        for kind in ("energy", "pitch"):
            predicted = getattr(self.tts, f"{kind}_predictor")(states)
            embed = getattr(self.tts, f"{kind}_embed")
            added = added + embed(predicted.transpose(1, 2)).transpose(1, 2)
        return added


def regulate(states: torch.Tensor, durations: torch.Tensor) -> torch.Tensor:
    """Repeat each state (1, N, channels) by its duration (N,)."""
    ends = durations.cumsum(0)
    ended = ends.new_zeros(ends[-1] + 1).scatter_add(0, ends, torch.ones_like(ends))
    return states[:, ended[:-1].cumsum(0)]


MODULES: dict[type[nn.Module], type[FastSpeechModule]] = {
    FastSpeech2: FastSpeech2Module,
    FastSpeech: FastSpeechModule,
}
