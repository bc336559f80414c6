"""Inference module of VITS: Piper's inputs to a waveform."""

import contextlib
import math

import torch
from espnet2.gan_tts.vits import VITS
from espnet2.gan_tts.vits.text_encoder import TextEncoder
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.acoustic import regulate
from espnet_distill.onnx_export.graph import amplified, frames_of_ids, mask_of_kept
from espnet_distill.onnx_export.layers import replace_layers
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds
from espnet_distill.onnx_export.vocoders.registry import inference_module
from espnet_distill.vocoders.generators.conditioned import ConditionedGenerator
from espnet_distill.vocoders.latent_decoder import LatentDecoder


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


class Decoder(nn.Module):
    """A waveform decoder of latents.

    Args:
        decoder: ESPnet's HiFi-GAN, or a LatentDecoder.
        where: A prefix of messages.

    Raises:
        ConfigError: A vocoder that ONNX cannot express.
    """

    def __init__(self, decoder: nn.Module, where: str):
        super().__init__()
        self.decoder, self.projection = decoder, None
        if not isinstance(decoder, LatentDecoder):
            return
        generator = decoder.generator
        if isinstance(generator, ConditionedGenerator):
            self.projection, generator = generator.projection, generator.generator
        self.decoder = inference_module(generator, where)
        self.register_buffer("mean", decoder.mean[:, None])
        self.register_buffer("std", decoder.std[:, None])

    def forward(self, z: torch.Tensor, g: torch.Tensor | None) -> torch.Tensor:
        """Turn latents (1, C, T) into waveforms (1, T * hop), which are not clipped.

        Args:
            z: The latents.
            g: Global conditioning (1, G, 1), if the model has several speakers.
        """
        if not hasattr(self, "mean"):
            return self.decoder(z, g=g).squeeze(1)
        z = (z - self.mean) / self.std
        if self.projection is not None:
            z = z + self.projection(g.squeeze(-1)).unsqueeze(-1)
        wave, _ = self.decoder(z, torch.ones(1), None)
        return wave


class VITSGraph(nn.Module):
    """A VITS with the inputs of Piper's voices.

    Args:
        tts: The trained model, which is changed in place.
        symbols: What the ids stand for.
        language: Its language id, if it has several languages.
        gain: Factor of the waveform, at least 1.
        where: A prefix of messages.
    """

    def __init__(
        self,
        tts: VITS,
        symbols: PhonemeIds,
        language: int | None,
        gain: float,
        where: str,
    ):
        super().__init__()
        generator = tts.eval().generator
        _remove_weight_norm(generator)
        self.gain, self.language = gain, language
        encoder = generator.text_encoder
        if isinstance(encoder, TextEncoder):
            encoder = ConformerTextEncoder(encoder)
        self.encoder = encoder
        self.predictor, self.flow = generator.duration_predictor, generator.flow
        self.decoder = Decoder(generator.decoder, where)
        self.speakers = getattr(generator, "global_emb", None)
        self.languages = getattr(generator, "lang_emb", None)
        kept = mask_of_kept(encoder.emb.num_embeddings, symbols.dropped)
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
        g = self._condition(sid)
        lengths = torch.ones_like(tokens).sum(0, keepdim=True)
        x, means, log_scales, mask = self.encoder(tokens[None], lengths)
        frames = self.predictor(x, mask, g=g, inverse=True, noise_scale=scales[2]).exp()
        durations = (frames * scales[1:2]).ceil().clamp(min=1)[0, 0].long()
        means, log_scales = (
            regulate(one.transpose(1, 2), durations).transpose(1, 2)
            for one in (means, log_scales)
        )
        z = means + torch.randn_like(means) * log_scales.exp() * scales[0]
        z = self.flow(z, torch.ones_like(z[:, :1]), g=g, inverse=True)
        wave = amplified(self.decoder(z, g), self.gain)
        if self.drops:
            durations = torch.cat((durations, torch.zeros_like(durations[:1])))
            return wave, frames_of_ids(kept, durations)
        return wave, durations[None]

    def _condition(self, sid: torch.Tensor | None) -> torch.Tensor | None:
        """Return the sum of the speaker's and the language's embedding (1, G, 1)."""
        parts = []
        if self.speakers is not None:
            parts.append(self.speakers(sid))
        if self.languages is not None:
            parts.append(self.languages.weight[self.language][None])
        return sum(parts).unsqueeze(-1) if parts else None


def _remove_weight_norm(module: nn.Module) -> None:
    """Fold weight normalization into the weights of all layers."""
    for layer in module.modules():
        with contextlib.suppress(ValueError):  # it has none
            nn.utils.remove_weight_norm(layer)


def require_exportable(tts: nn.Module, where) -> None:
    """Raise a ConfigError unless a text-to-waveform model can be exported."""
    if not isinstance(tts, VITS):
        raise ConfigError(
            f"{where}: tts: {type(tts).__name__} cannot be exported; of the models that "
            "synthesize waveforms, VITS can"
        )
    if tts.spk_embed_dim:
        raise ConfigError(
            f"{where}: tts_conf.generator_params.spk_embed_dim: a model of x-vectors "
            "takes an input that no client has; train one with speaker ids"
        )
