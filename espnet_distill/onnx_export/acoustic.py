"""Inference modules of text-to-mel models: token ids to log-mels and durations."""

from collections.abc import Mapping, Sequence

import torch
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from torch import nn
from torch.nn.functional import normalize

from espnet_distill.onnx_export.layers import replace_layers


class FastSpeechModule(nn.Module):
    """FastSpeech of one sentence, with ESPnet's encoder, predictor and decoder.

    Args:
        tts: The trained model, which is changed in place.
        language: Its language id, if it has several languages.
        speakers: `sids` and `spembs` of each speaker, of a model of speaker embeddings.
    """

    def __init__(
        self,
        tts: FastSpeech,
        language: int | None = None,
        speakers: Sequence[Mapping[str, torch.Tensor]] = (),
    ):
        super().__init__()
        self.tts = replace_layers(tts.eval())
        self.language = language
        self.speakers = SpeakerEmbeddings(tts, speakers) if speakers else None

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
            speaker: Speaker id (1,), of several speakers.

        Returns:
            Log-mels (1, T, odim), and the frames of each token (N,).
        """
        states, durations = self.decode(tokens, length_scale, speaker)
        mels = self.tts.feat_out(states).view(1, -1, self.tts.odim)
        if self.tts.postnet is not None:
            mels = mels + self.tts.postnet(mels.transpose(1, 2)).transpose(1, 2)
        return mels, durations * self.tts.reduction_factor

    def decode(self, tokens, length_scale, speaker=None) -> tuple[torch.Tensor, ...]:
        """Compute the decoder's output (1, T, adim) and its frames of tokens (N,).

        Args:
            tokens, length_scale, speaker: See `forward`.
        """
        states, _ = self.tts.encoder(tokens, None)
        states = self._condition(states, speaker)
        durations = self._durations(states, length_scale)
        states = self._upsample(self._vary(states), durations)
        states, _ = self.tts.decoder(states, None)
        return states, durations

    def _condition(self, states, speaker) -> torch.Tensor:
        """Add the embeddings of speaker and language."""
        if self.tts.langs is not None:
            states = states + self.tts.lid_emb.weight[self.language]
        if self.speakers is not None:
            return self.speakers(states, speaker)
        if self.tts.spks is not None:
            states = states + self.tts.sid_emb(speaker)
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

    def _upsample(self, states: torch.Tensor, durations: torch.Tensor) -> torch.Tensor:
        return regulate(states, durations)


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


class JETSModule(FastSpeech2Module):
    """JETS of one sentence, without its waveform decoder.

    Args:
        tts: The trained generator (JETSGenerator), which is changed in place.
        language, speakers: See FastSpeechModule.
    """

    def forward(
        self,
        tokens: torch.Tensor,
        length_scale: torch.Tensor,
        speaker: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the waveform decoder's input (1, T, adim), and durations (N,)."""
        return self.decode(tokens, length_scale, speaker)

    def _upsample(self, states: torch.Tensor, durations: torch.Tensor) -> torch.Tensor:
        """Interpolate states (Gaussian upsampling, arXiv 2010.04301) as JETS does."""
        ends = durations.cumsum(0)
        centers = ends - durations / 2
        frames = torch.ones_like(states[0, :1, 0]).expand(ends[-1]).cumsum(0) - 1
        distances = (frames[:, None] - centers).square()
        delta = self.tts.length_regulator.delta
        return torch.softmax(-delta * distances, -1)[None] @ states


class SpeakerEmbeddings(nn.Module):
    """Speaker embeddings (x-vectors) as constants of a model that integrates them.

    Args:
        tts: The model.
        speakers: `spembs` (dim,) and, of a model with speaker ids, too, `sids` (1,).
    """

    def __init__(self, tts: FastSpeech, speakers: Sequence[Mapping[str, torch.Tensor]]):
        super().__init__()
        vectors = normalize(torch.stack([one["spembs"] for one in speakers]))
        channels = tts.projection.out_features
        before = torch.zeros(len(speakers), channels)
        if tts.spks is not None:
            before = tts.sid_emb(torch.cat([one["sids"] for one in speakers]))
        weight, bias = tts.projection.weight.detach(), tts.projection.bias.detach()
        self.register_buffer("mix", None)  # if states and embedding are concatenated
        if tts.spk_embed_integration_type == "concat":
            self.mix, weight = weight.split((channels, vectors.size(1)), 1)
            before = before @ self.mix.t()
        self.register_buffer("added", (before + vectors @ weight.t() + bias).detach())

    def forward(
        self, states: torch.Tensor, speaker: torch.Tensor | None
    ) -> torch.Tensor:
        """Integrate a speaker's embedding with states (1, N, channels).

        Args:
            states: The encoder's output.
            speaker: Index of the speaker (1,), of several.
        """
        if self.mix is not None:
            states = states @ self.mix.t()
        return states + (self.added if speaker is None else self.added[speaker])


def regulate(states: torch.Tensor, durations: torch.Tensor) -> torch.Tensor:
    """Repeat each state (1, N, channels) by its duration (N,)."""
    ends = durations.cumsum(0)
    ended = ends.new_zeros(ends[-1] + 1).scatter_add(0, ends, torch.ones_like(ends))
    return states[:, ended[:-1].cumsum(0)]


# Text-to-mel models
MODULES: dict[type[nn.Module], type[FastSpeechModule]] = {
    FastSpeech2: FastSpeech2Module,
    FastSpeech: FastSpeechModule,
}


def module_of(tts: type) -> type[FastSpeechModule] | None:
    """Return the inference module of a class of text-to-mel models, if it has one."""
    return next(
        (module for kind, module in MODULES.items() if issubclass(tts, kind)), None
    )
