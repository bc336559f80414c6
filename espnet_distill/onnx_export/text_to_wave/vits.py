"""Inference module of VITS: Piper's inputs to a waveform."""

import math
from collections.abc import Mapping, Sequence

import torch
from espnet2.gan_tts.vits import VITS
from espnet2.gan_tts.vits.generator import VITSGenerator
from espnet2.gan_tts.vits.text_encoder import TextEncoder
from torch import nn
from torch.nn.functional import normalize

from espnet_distill.onnx_export.acoustic import regulate
from espnet_distill.onnx_export.layers import replace_layers
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds
from espnet_distill.onnx_export.text_to_wave.decoder import Decoder
from espnet_distill.onnx_export.text_to_wave.graph import TextToWaveGraph
from espnet_distill.structure.weight_norm import fold_weight_norm


class ConformerTextEncoder(nn.Module):
    """ESPnet's text encoder of VITS for one sentence."""

    def __init__(self, encoder: TextEncoder):
        super().__init__()
        self.emb, self.proj = encoder.emb, encoder.proj
        self.scale = math.sqrt(encoder.attention_dim)
        self.encoder = replace_layers(encoder.encoder)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor):
        """Encode token ids (1, N); see ESPnet's TextEncoder."""
        x, _ = self.encoder(self.emb(tokens) * self.scale, None)
        x = x.transpose(1, 2)
        means, log_scales = self.proj(x).chunk(2, dim=1)
        return x, means, log_scales, torch.ones_like(x[:, :1])


class Condition(nn.Module):
    """The global conditioning of a VITS: the sum of embeddings of speaker and language.

    Args:
        generator: The trained generator.
        language: Its language id, if it has several languages.
        speakers: `sids` and `spembs` of each speaker, of a model of speaker embeddings.

    Attributes:
        table: The conditioning of each speaker (speakers, G), one without several; None
            of a model without any.
    """

    def __init__(
        self,
        generator: VITSGenerator,
        language: int | None,
        speakers: Sequence[Mapping[str, torch.Tensor]],
    ):
        super().__init__()
        parts = []
        if generator.spks is not None:
            table = generator.global_emb.weight
            ids = [one["sids"] for one in speakers]
            parts.append(table[torch.cat(ids)] if ids else table)
        if generator.spk_embed_dim is not None:
            vectors = normalize(torch.stack([one["spembs"] for one in speakers]))
            parts.append(generator.spemb_proj(vectors))
        if generator.langs is not None:
            parts.append(generator.lang_emb.weight[language][None])
        table = sum(parts).detach() if parts else None
        self.register_buffer("table", table)

    def forward(self, sid: torch.Tensor | None) -> torch.Tensor | None:
        """Return the conditioning (1, G, 1) of a speaker id (1,), of several."""
        if self.table is None:
            return None
        chosen = self.table if sid is None else self.table[sid]
        return chosen.unsqueeze(-1)


class VITSGraph(TextToWaveGraph):
    """A VITS with the inputs of Piper's voices.

    Args:
        tts: The trained model, which is changed in place.
        symbols: What the ids stand for.
        language: Its language id, if it has several languages.
        speakers: `sids` and `spembs` of each speaker, of a model of speaker embeddings.
        gain: Factor of the waveform, at least 1.
        where: A prefix of messages.
    """

    def __init__(
        self,
        tts: VITS,
        symbols: PhonemeIds,
        language: int | None,
        speakers: Sequence[Mapping[str, torch.Tensor]],
        gain: float,
        where: str,
    ):
        generator = tts.eval().generator
        fold_weight_norm(generator)
        encoder = generator.text_encoder
        super().__init__(encoder.emb.num_embeddings, symbols, gain)
        if isinstance(encoder, TextEncoder):
            encoder = ConformerTextEncoder(encoder)
        self.encoder = encoder
        self.predictor, self.flow = generator.duration_predictor, generator.flow
        self.decoder = Decoder(generator.decoder, where)
        self.condition = Condition(generator, language, speakers)

    def synthesize(
        self, tokens: torch.Tensor, scales: torch.Tensor, sid: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the waveform (1, T * hop) of tokens (1, N), and their frames (N,)."""
        g = self.condition(sid)
        lengths = torch.ones_like(tokens[0]).sum(0, keepdim=True)
        x, means, log_scales, mask = self.encoder(tokens, lengths)
        frames = self.predictor(x, mask, g=g, inverse=True, noise_scale=scales[2]).exp()
        durations = (frames * scales[1:2]).ceil().clamp(min=1)[0, 0].long()
        means, log_scales = (
            regulate(one.transpose(1, 2), durations).transpose(1, 2)
            for one in (means, log_scales)
        )
        z = means + torch.randn_like(means) * log_scales.exp() * scales[0]
        z = self.flow(z, torch.ones_like(z[:, :1]), g=g, inverse=True)
        return self.decoder(z, g), durations
