"""Base class of FastSpeech2 variants, with other layers in encoder and decoder."""

import inspect

import torch
from espnet2.tts.fastspeech2 import FastSpeech2
from torch import nn

from espnet_distill.errors import ConfigError, near_names

# Keys of ESPnet's FastSpeech2 without effect once its layers are replaced.
REPLACED = (
    *("aheads", "elayers", "eunits", "dlayers", "dunits", "encoder_type"),
    *("decoder_type", "use_scaled_pos_enc", "zero_triu", "apply_ff_mask"),
    *("encoder_normalize_before", "decoder_normalize_before", "init_enc_alpha"),
    *("encoder_concat_after", "decoder_concat_after", "init_dec_alpha"),
)


REPLACED_PREFIXES = ("positionwise_", "transformer_", "conformer_", "use_macaron_")


class Layers(nn.Module):
    """A stack of layers with the interface of ESPnet's encoders.

    Each layer maps (B, T, channels) and a mask (B, T, 1), False in padding, to the same
    shape. Padding must not affect the other steps.
    """

    def __init__(self, layers: list[nn.Module], channels: int, tokens: int = 0):
        """Stack layers.

        Args:
            layers: The layers.
            channels: Their width.
            tokens: Size of the embedding before the layers; 0 if the input is vectors
                (B, T, channels).
        """
        super().__init__()
        self.embed = nn.Embedding(tokens, channels, padding_idx=0) if tokens else None
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(channels)

    def forward(
        self, xs: torch.Tensor, masks: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Encode tokens (B, T) or vectors (B, T, channels); masks are (B, 1, T)."""
        if self.embed is not None:
            xs = self.embed(xs)
        mask = xs.new_ones(xs.shape[:2], dtype=torch.bool).unsqueeze(-1)
        if masks is not None:
            mask = masks.transpose(1, 2).expand_as(mask)
        for layer in self.layers:
            xs = layer(xs, mask)
        return self.norm(xs), masks


class FastSpeech2Variant(FastSpeech2):
    """ESPnet's FastSpeech2 with the encoder and decoder of a subclass.

    Variance adaptor, length regulator, conditions, postnet, loss and inference are
    ESPnet's.
    """

    def __init__(self, idim: int, odim: int, adim: int, encoder, decoder, **conf):
        """Build ESPnet's model without layers, then set encoder and decoder.

        Args:
            idim: Number of tokens.
            odim: Mel bands.
            adim: Width of encoder and decoder.
            encoder, decoder: Lists of layers, see ``Layers``.
            conf: Keys of ESPnet's FastSpeech2, except those of its layers.

        Raises:
            ConfigError: A key that is unknown, or has no effect in this model.
        """
        self._require_known(conf)
        bare = {"aheads": 1, "elayers": 0, "dlayers": 0, "use_scaled_pos_enc": False}
        super().__init__(idim, odim, adim=adim, **bare, **conf)
        self.encoder = Layers(encoder, adim, tokens=idim)
        self.decoder = Layers(decoder, adim)

    @classmethod
    def takes(cls, key: str) -> bool:
        """Return True if a key of ESPnet's FastSpeech2 has an effect in this model."""
        return key not in REPLACED and not key.startswith(REPLACED_PREFIXES)

    def _require_known(self, conf: dict) -> None:
        stock = set(filter(self.takes, _parameters(FastSpeech2)))
        known = stock | set(_parameters(type(self)))
        for key in conf:
            if key not in known:
                near = near_names(key, known)
                raise ConfigError(
                    f"tts_conf.{key}: {type(self).__name__} has no such key; near: "
                    f"{', '.join(near or sorted(_parameters(type(self))))}"
                )


def _parameters(kind: type) -> list[str]:
    parameters = inspect.signature(kind.__init__).parameters
    return [name for name in parameters if name not in ("self", "conf")]
