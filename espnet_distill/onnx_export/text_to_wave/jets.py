"""Inference module of JETS: Piper's inputs to a waveform."""

from collections.abc import Mapping, Sequence

import torch
from espnet2.gan_tts.jets import JETS

from espnet_distill.onnx_export.acoustic import JETSModule
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds
from espnet_distill.onnx_export.text_to_wave.decoder import Decoder
from espnet_distill.onnx_export.text_to_wave.graph import TextToWaveGraph
from espnet_distill.structure.weight_norm import fold_weight_norm


class JETSGraph(TextToWaveGraph):
    """A JETS with the inputs of Piper's voices; it has no noise.

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
        tts: JETS,
        symbols: PhonemeIds,
        language: int | None,
        speakers: Sequence[Mapping[str, torch.Tensor]],
        gain: float,
        where: str,
    ):
        generator = tts.eval().generator
        super().__init__(generator.idim, symbols, gain)
        fold_weight_norm(generator)
        self.decoder = Decoder(generator.generator, where)
        self.acoustic = JETSModule(generator, language, speakers)

    def synthesize(
        self, tokens: torch.Tensor, scales: torch.Tensor, sid: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the waveform (1, T * hop) of tokens (1, N), and their frames (N,)."""
        latents, durations = self.acoustic(tokens, scales[1:2], sid)
        return self.decoder(latents.transpose(1, 2)), durations
