"""VITS and JETS that only synthesize, with parts that ESPnet's classes do not have."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator
from espnet2.gan_tts.vits import VITS

from espnet_distill.errors import ConfigError
from espnet_distill.students.models.windowed_attention import WindowedTextEncoder
from espnet_distill.utils.config_values import one_of

# Arguments with which ESPnet builds a part that is replaced: small, whatever the model.
SMALL_DISCRIMINATOR = {
    "discriminator_type": "hifigan_period_discriminator",
    "discriminator_params": {"channels": 1, "max_downsample_channels": 1},
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
        decoder_params: Arguments of ESPnet's HiFiGANGenerator that its VITS does not
            pass on, such as `use_additional_convs`.
    """

    def __init__(
        self,
        idim: int,
        odim: int,
        sampling_rate: int = 22050,
        generator_params: dict[str, Any] = {},
        text_encoder_type: str = "conformer",
        text_encoder_params: dict[str, Any] = {},
        decoder_params: dict[str, Any] = {},
    ):
        one_of(text_encoder_type, TEXT_ENCODERS, "tts_conf.text_encoder_type")
        params = copy.deepcopy(dict(generator_params))
        windowed = text_encoder_type == "windowed"
        small = {"text_encoder_blocks": 0} if windowed else {}
        VITS.__init__(
            self,
            idim,
            odim,
            sampling_rate=sampling_rate,
            generator_params=params | SMALL_POSTERIOR | small,
            **SMALL_DISCRIMINATOR,
        )
        self._keep_synthesis()
        generator = self.generator
        generator.posterior_encoder = None
        _keep_inverse(generator.duration_predictor)
        if windowed:
            generator.text_encoder = WindowedTextEncoder(
                idim, params.get("hidden_channels", 192), **text_encoder_params
            )
        if decoder_params:
            generator.decoder = _hifigan(params, decoder_params)


TEXT_ENCODERS = ("conformer", "windowed")
SMALL_POSTERIOR = {"posterior_encoder_layers": 1, "posterior_encoder_stacks": 1}


def _keep_inverse(predictor: torch.nn.Module) -> None:
    """Remove what a StochasticDurationPredictor needs in training only.

    In synthesis it runs its flows backwards, without the first convolutional one.
    """
    for name, _ in list(predictor.named_children()):
        if name.startswith("post_") or name == "log_flow":
            setattr(predictor, name, None)
    predictor.flows[1] = torch.nn.Identity()


def _hifigan(params: Mapping, others: Mapping) -> HiFiGANGenerator:
    """Build the decoder of ESPnet's VITS with further arguments."""
    given = {
        argument: params[key] for key, argument in DECODER_KEYS.items() if key in params
    }
    given.setdefault("in_channels", 192)
    return HiFiGANGenerator(**given | dict(others))


DECODER_KEYS = {  # of VITSGenerator: arguments of its HiFiGANGenerator
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
