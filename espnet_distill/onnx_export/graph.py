"""The graphs of a voice: phoneme ids, with Piper's inputs, to a waveform."""

import io
import warnings
from collections.abc import Collection, Mapping

import torch
from torch import nn

from espnet_distill.onnx_export.acoustic import FastSpeechModule
from espnet_distill.onnx_export.vocoders.registry import Vocoder

OPSET = 18
NOISE_SCALE = 0.667  # clients send it unasked; the noise is then that of the training


def mask_of_kept(vocabulary: int, dropped: Collection[int]) -> torch.Tensor:
    """Return a mask (vocabulary,) that is False for ids that stand for no token."""
    kept = torch.ones(vocabulary, dtype=torch.bool)
    kept[list(dropped)] = False
    return kept


class AcousticGraph(nn.Module):
    """A text-to-mel model with the inputs of Piper's voices.

    Args:
        acoustic: Token ids to normalized log-mels.
        statistics: Mean and deviation (n_mels,) of the log-mels, if normalized.
        vocabulary: Number of tokens; the last is the end of the sentence.
        dropped: Ids that stand for no token: padding, and those of other symbols.
    """

    def __init__(
        self,
        acoustic: FastSpeechModule,
        statistics: tuple[torch.Tensor, torch.Tensor] | None,
        vocabulary: int,
        dropped: Collection[int],
    ):
        super().__init__()
        self.acoustic = acoustic
        mean, std = statistics or (None, None)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.register_buffer("kept", mask_of_kept(vocabulary, dropped))
        self.register_buffer("end", torch.tensor([vocabulary - 1]))

    def forward(
        self,
        input: torch.Tensor,
        input_lengths: torch.Tensor,
        scales: torch.Tensor,
        sid: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute log-mels.

        Args:
            input: Ids (1, N) of a sentence, with padding.
            input_lengths: Number of ids (1,).
            scales: Noise, length, and a third one without effect (3,).
            sid: Speaker id (1,), of several.

        Returns:
            Log-mels (1, T, n_mels), and the frames of each id (1, N).
        """
        ids = input[0, : input_lengths[0]]
        kept = self.kept[ids]
        tokens = torch.cat((ids[kept], self.end))
        mels, durations = self.acoustic(tokens[None], scales[1:2], sid)
        if self.mean is not None:
            mels = mels * self.std + self.mean
        return mels, frames_of_ids(kept, durations)


def frames_of_ids(kept: torch.Tensor, durations: torch.Tensor) -> torch.Tensor:
    """Return the frames of each id (1, N); the last gets those of the end, too.

    Args:
        kept: Which ids stand for tokens (N,).
        durations: Frames of those tokens and of the end.
    """
    place = (kept.long().cumsum(0) - 1).clamp(min=0)
    frames = durations[place] * kept.long()
    return torch.cat((frames[:-1], frames[-1:] + durations[-1:]))[None]


class VoiceGraph(nn.Module):
    """A text-to-mel model and a vocoder, with the inputs of Piper's voices.

    Args:
        acoustic: Ids to log-mels.
        vocoder: Log-mels to a waveform.
        gain: Factor of the waveform, at least 1.
    """

    def __init__(self, acoustic: AcousticGraph, vocoder: Vocoder, gain: float = 1.0):
        super().__init__()
        self.acoustic, self.vocoder, self.gain = acoustic, vocoder, gain

    def forward(
        self,
        input: torch.Tensor,
        input_lengths: torch.Tensor,
        scales: torch.Tensor,
        sid: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Synthesize a waveform (1, 1, T); see AcousticGraph."""
        mels, frames = self.acoustic(input, input_lengths, scales, sid)
        wave, _ = self.vocoder(mels, scales[:1] / NOISE_SCALE)
        return amplified(wave, self.gain), frames


class VocoderGraph(nn.Module):
    """A vocoder that synthesizes a waveform in pieces.

    Args:
        vocoder: Log-mels to a waveform.
        gain: Factor of the waveform, at least 1.
    """

    def __init__(self, vocoder: Vocoder, gain: float = 1.0):
        super().__init__()
        self.vocoder, self.gain = vocoder, gain

    def forward(
        self,
        mel: torch.Tensor,
        noise_scale: torch.Tensor,
        first: torch.Tensor,
        anchor: torch.Tensor,
        passed: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        """Synthesize a piece.

        Args:
            mel: Log-mels (1, T, n_mels) of the piece and of the context around it.
            noise_scale: Scale of the noise (1,).
            first: Index in the sentence of the first frame of `mel` (1,).
            anchor: Index in `mel` of the piece's first frame (1,).
            passed: Cycles of F0 before the piece (1,), in double precision.

        Returns:
            The waveform (1, 1, T * hop), context included; and the cycles of F0 before
            each frame and the end (T + 1,), of vocoders with pulses.
        """
        place = (first, anchor, passed)
        wave, cycles = self.vocoder(mel, noise_scale / NOISE_SCALE, place)
        wave = amplified(wave, self.gain)
        return (wave,) if cycles is None else (wave, cycles)


def amplified(wave: torch.Tensor, gain: float) -> torch.Tensor:
    """Turn waveforms (1, T) into (1, 1, T), amplified and clipped."""
    wave = wave[None]
    if gain != 1:
        wave = wave * gain
    return wave.clamp(-1, 1)


def trace_voice(graph: nn.Module, ids: list[int], speakers: int, output: str) -> bytes:
    """Return the ONNX model of a VoiceGraph or an AcousticGraph.

    Args:
        graph: The graph.
        ids: The ids of a sentence, with which the graph is traced.
        speakers: Number of speakers; with several, there is a fourth input.
        output: Name of the first output.
    """
    inputs = {
        "input": torch.tensor([ids]),
        "input_lengths": torch.tensor([len(ids)]),
        "scales": torch.tensor([NOISE_SCALE, 1.0, 0.8]),
    }
    if speakers > 1:
        inputs["sid"] = torch.tensor([0])
    axes = {"input": {1: "ids"}, "frames": {1: "ids"}}
    axes[output] = {2: "samples"} if output == "output" else {1: "mels"}
    return _trace(graph, inputs, [output, "frames"], axes)


def trace_vocoder(graph: VocoderGraph, channels: int) -> bytes:
    """Return the ONNX model of a vocoder of `channels` mels or latents."""
    inputs = {
        "mel": torch.zeros(1, 20, channels),
        "noise_scale": torch.tensor([NOISE_SCALE]),
        "first": torch.tensor([0]),
        "anchor": torch.tensor([0]),
        "passed": torch.zeros(1, dtype=torch.double),
    }
    axes = {"mel": {1: "mels"}, "wave": {2: "samples"}, "cycles": {0: "cycles"}}
    has_pulses = graph.vocoder.generator.has_pulses
    return _trace(graph, inputs, ["wave", "cycles"][: 1 + has_pulses], axes)


def _trace(
    graph: nn.Module, inputs: Mapping[str, torch.Tensor], outputs: list[str], axes: dict
) -> bytes:
    """Return the ONNX model of a graph.

    Args:
        graph: The graph.
        inputs: Its inputs, by name.
        outputs: Names of its outputs.
        axes: Input or output → axis → name, of axes whose length varies.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_axes={k: v for k, v in axes.items() if k in (*inputs, *outputs)},
        )
    return buffer.getvalue()
