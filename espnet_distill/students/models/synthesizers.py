"""VITS and JETS that only synthesize, with parts that ESPnet's classes do not have."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator
from espnet2.gan_tts.jets import JETS
from espnet2.gan_tts.vits import VITS

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.text_to_wave import condition_channels
from espnet_distill.students.models.per_layer import factorize_layers
from espnet_distill.students.models.windowed_attention import WindowedTextEncoder
from espnet_distill.teachers.piper_padding import PiperPadding
from espnet_distill.utils.config_values import one_of
from espnet_distill.vocoders.latent_decoder import LatentDecoder
from espnet_distill.vocoders.latents import LatentSpec

TEXT_ENCODERS = ("conformer", "windowed")
HIFIGAN = "hifigan"  # ESPnet's decoder; others are vocoders of this package
WIDTH = 192  # default of hidden_channels


# Arguments of parts that are built by ESPnet's constructor and then replaced: small.
SMALL_DISCRIMINATOR = {
    "discriminator_type": "hifigan_period_discriminator",
    "discriminator_params": {"channels": 1, "max_downsample_channels": 1},
}
SMALL_POSTERIOR = {"posterior_encoder_layers": 1, "posterior_encoder_stacks": 1}


# Arguments of VITSGenerator → those of its HiFiGANGenerator.
DECODER_ARGUMENTS = {
    "hidden_channels": "in_channels",
    "global_channels": "global_channels",
    "decoder_channels": "channels",
    "decoder_kernel_size": "kernel_size",
    "decoder_upsample_scales": "upsample_scales",
    "decoder_upsample_kernel_sizes": "upsample_kernel_sizes",
    "decoder_resblock_kernel_sizes": "resblock_kernel_sizes",
    "decoder_resblock_dilations": "resblock_dilations",
    "use_weight_norm_in_decoder": "use_weight_norm",
}


class Synthesizer:
    """Mixin of a text-to-waveform model without what only training needs.

    A subclass of ESPnet's class, so that ``Text2Speech`` passes it the same options.
    """

    def _keep_synthesis(self) -> None:
        """Remove discriminator and losses."""
        self.discriminator = None
        for name in [name for name, _ in self.named_children() if "loss" in name]:
            setattr(self, name, None)

    def forward(self, *args, **kwargs):
        """Refuse to train.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            "tts: this model synthesizes only: what its training needs is not part of "
            "it; train the experiment that it was made from"
        )

    def _decoder(self, kind: str, params: Mapping, channels: int, condition: int):
        """Build a vocoder of latents for this model."""
        latents = LatentSpec(
            self.fs, self.generator.upsample_factor, channels, condition, ""
        )
        conf = {"vocoder_type": kind, "vocoder_params": dict(params)}
        return LatentDecoder(conf, latents)


class VITSSynthesizer(Synthesizer, VITS):
    """VITS for synthesis; ``tts: vits_synthesizer``.

    Posterior encoder, posterior of the durations, discriminator and losses are left
    out. The rest equals ESPnet's VITS except for the parts that the arguments name.

    Args:
        idim: Number of tokens.
        odim: Not used.
        sampling_rate: Of the waveforms in Hz.
        generator_params: As for ESPnet's VITS.
        text_encoder_type: `conformer`, which is ESPnet's, or `windowed`, that of the
            original VITS and of Piper.
        text_encoder_params: Arguments of a `windowed` encoder.
        decoder_type: `hifigan`, which is ESPnet's, or a vocoder of GENERATORS, which
            replaces it.
        decoder_params: Arguments of ESPnet's HiFiGANGenerator that its VITS does not
            pass on, such as `use_additional_convs`; or those of the vocoder.
        ranks: Layer of text encoder or flow → rank of its factorization; the flow is
            then without weight normalization.
        padding: Ids of begin, padding and end that Piper's clients put around the
            tokens; `inference` then puts them there, and its durations are those of the
            N tokens and of the end of the sentence, (N + 1,).
    """

    def __init__(
        self,
        idim: int,
        odim: int,
        sampling_rate: int = 22050,
        generator_params: dict[str, Any] = {},
        text_encoder_type: str = "conformer",
        text_encoder_params: dict[str, Any] = {},
        decoder_type: str = HIFIGAN,
        decoder_params: dict[str, Any] = {},
        padding: list[int] | None = None,
        ranks: Mapping[str, int] | None = None,
    ):
        one_of(text_encoder_type, TEXT_ENCODERS, "tts_conf.text_encoder_type")
        params = copy.deepcopy(dict(generator_params))  # which ESPnet changes
        windowed, replaced = text_encoder_type == "windowed", decoder_type != HIFIGAN
        small = {"text_encoder_blocks": 0} if windowed else {}
        small |= _small_decoder(params) if replaced else {}
        VITS.__init__(
            self,
            idim,
            odim,
            sampling_rate=sampling_rate,
            generator_params=params | SMALL_POSTERIOR | small,
            **SMALL_DISCRIMINATOR,
        )
        self._keep_synthesis()
        generator, width = self.generator, params.get("hidden_channels", WIDTH)
        generator.posterior_encoder = None
        _keep_inverse(generator.duration_predictor)
        if windowed:
            generator.text_encoder = WindowedTextEncoder(
                idim, width, **text_encoder_params
            )
        if replaced:
            generator.decoder = self._decoder(
                decoder_type, decoder_params, width, condition_channels(params)
            )
        elif decoder_params:
            generator.decoder = _hifigan(params, decoder_params)
        self.padding = PiperPadding(*padding) if padding else None
        factorize_layers(self, ranks or {})

    def inference(
        self, text: torch.Tensor, durations: torch.Tensor | None = None, **options
    ) -> dict[str, torch.Tensor]:
        """Synthesize as ESPnet's VITS does, with the padding.

        Args:
            text: Token ids (N,).
            durations: Frames a token (N,), for a model without padding.
            options: Those of ESPnet's VITS.

        Raises:
            ConfigError: Durations are given to a model with padding.
        """
        if self.padding is None:
            return super().inference(text, durations=durations, **options)
        if durations is not None:
            raise ConfigError(
                "durations: are not those of the padded tokens of this model; leave "
                "them out"
            )
        padded = text.new_tensor(self.padding.pad(text.tolist()))
        output = super().inference(padded, **options)
        attention = self.padding.sum_attention(output["att_w"])
        return output | {"att_w": attention, "duration": attention.sum(0)}


class JETSSynthesizer(Synthesizer, JETS):
    """JETS for synthesis, with a vocoder of its latents; ``tts: jets_synthesizer``.

    Aligner, discriminator and losses are left out.

    Args:
        idim: Number of tokens.
        odim: Number of mels, as in the training.
        sampling_rate: Of the waveforms in Hz.
        generator_params: As for ESPnet's JETS.
        decoder_type: A vocoder of GENERATORS.
        decoder_params: Its arguments.
    """

    def __init__(
        self,
        idim: int,
        odim: int,
        sampling_rate: int = 22050,
        generator_params: dict[str, Any] = {},
        decoder_type: str = "harmonic_istft_generator",
        decoder_params: dict[str, Any] = {},
    ):
        params = copy.deepcopy(dict(generator_params))
        JETS.__init__(
            self,
            idim,
            odim,
            sampling_rate=sampling_rate,
            generator_params=params | _small_decoder(params, "generator"),
            **SMALL_DISCRIMINATOR,
        )
        self._keep_synthesis()
        self.generator.alignment_module = None
        width = self.generator.generator.input_conv.in_channels
        self.generator.generator = self._decoder(decoder_type, decoder_params, width, 0)


def _keep_inverse(predictor: torch.nn.Module) -> None:
    """Remove what a StochasticDurationPredictor needs in training only.

    In synthesis it runs its flows backwards, without the first convolutional one.
    """
    for name, _ in list(predictor.named_children()):
        if name.startswith("post_") or name == "log_flow":
            setattr(predictor, name, None)
    predictor.flows[1] = torch.nn.Identity()


def _small_decoder(params: Mapping, prefix: str = "decoder") -> dict:
    """Return the least width of a HiFi-GAN that halves it at each upsampling."""
    scales = params.get(f"{prefix}_upsample_scales", [8, 8, 2, 2])
    return {f"{prefix}_channels": 2 ** len(scales)}


def _hifigan(params: Mapping, others: Mapping) -> HiFiGANGenerator:
    """Build the decoder of ESPnet's VITS with further arguments."""
    given = {
        argument: params[key]
        for key, argument in DECODER_ARGUMENTS.items()
        if key in params
    }
    return HiFiGANGenerator(**{"in_channels": WIDTH} | given | dict(others))
