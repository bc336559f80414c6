"""Inference module of JointText2Wav: Piper's inputs to a waveform."""

from collections.abc import Mapping, Sequence

import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator
from espnet2.gan_tts.joint import JointText2Wav
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.acoustic import module_of
from espnet_distill.onnx_export.graph import AcousticGraph, VoiceGraph
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds
from espnet_distill.structure.weight_norm import fold_weight_norm


class JointVocoder(nn.Module):
    """HiFi-GAN of a JointText2Wav, of the whole band or of several.

    Args:
        tts: The trained model.
    """

    def __init__(self, tts: JointText2Wav):
        super().__init__()
        self.vocoder = tts.generator["vocoder"]
        self.pqmf = tts.pqmf if tts.use_pqmf else None

    def forward(
        self, mels: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        """Turn normalized log-mels (1, T, n_mels) into waveforms (1, T * hop)."""
        wave = self.vocoder(mels.transpose(1, 2))
        if self.pqmf is not None:
            wave = self.pqmf.synthesis(wave)
        return wave.squeeze(1), None


def joint_graph(
    tts: JointText2Wav,
    symbols: PhonemeIds,
    language: int | None,
    speakers: Sequence[Mapping[str, torch.Tensor]],
    gain: float,
    where: str,
) -> VoiceGraph:
    """Return the graph of a JointText2Wav; see JETSGraph for arguments."""
    text2mel = tts.eval().generator["text2mel"]
    fold_weight_norm(tts.generator)
    kind = module_of(type(text2mel))
    acoustic = kind(text2mel, language, speakers)
    ids = AcousticGraph(acoustic, None, text2mel.idim, symbols.dropped)
    return VoiceGraph(ids, JointVocoder(tts), gain)


def require_parts(tts: JointText2Wav, where) -> None:
    """Raise a ConfigError unless both parts of a JointText2Wav can be exported."""
    text2mel, vocoder = tts.generator["text2mel"], tts.generator["vocoder"]
    if module_of(type(text2mel)) is None:
        raise ConfigError(
            f"{where}: tts_conf.text2mel_type: {type(text2mel).__name__} cannot be "
            "exported; fastspeech2 and fastspeech can"
        )
    if not isinstance(vocoder, HiFiGANGenerator):
        raise ConfigError(
            f"{where}: tts_conf.vocoder_type: {type(vocoder).__name__} cannot be "
            "exported; hifigan_generator can"
        )
