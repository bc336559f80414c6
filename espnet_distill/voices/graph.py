"""The graph of a voice: phoneme ids, with Piper's inputs, to a waveform."""

import io
import warnings
from collections.abc import Collection

import torch
from torch import nn

from espnet_distill.voices.acoustic import FastSpeechModule
from espnet_distill.voices.vocoders.registry import Vocoder

OPSET = 18
NOISE_SCALE = 0.667  # clients send it unasked; the noise is then that of the training


class VoiceGraph(nn.Module):
    """A text-to-mel model and a vocoder, with the inputs of Piper's voices.

    Args:
        acoustic: Token ids to normalized log-mels.
        vocoder: Log-mels to a waveform.
        statistics: Mean and deviation (n_mels,) of the log-mels, if normalized.
        vocabulary: Number of tokens; the last is the end of the sentence.
        dropped: Ids that stand for no token: padding, and those of other symbols.
        gain: Factor of the waveform, at least 1.
    """

    def __init__(
        self,
        acoustic: FastSpeechModule,
        vocoder: Vocoder,
        statistics: tuple[torch.Tensor, torch.Tensor] | None,
        vocabulary: int,
        dropped: Collection[int],
        gain: float = 1.0,
    ):
        super().__init__()
        self.acoustic, self.vocoder, self.gain = acoustic, vocoder, gain
        mean, std = statistics or (None, None)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        kept = torch.ones(vocabulary, dtype=torch.bool)
        kept[list(dropped)] = False
        self.register_buffer("kept", kept)
        self.register_buffer("end", torch.tensor([vocabulary - 1]))

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
            scales: Noise, length, and a third one without effect (3,).
            sid: Speaker id (1,), of several.

        Returns:
            The waveform (1, 1, T), and the frames of each id (1, N).
        """
        ids = input[0, : input_lengths[0]]
        kept = self.kept[ids]
        tokens = torch.cat((ids[kept], self.end))
        mels, durations = self.acoustic(tokens[None], scales[1:2], sid)
        if self.mean is not None:
            mels = mels * self.std + self.mean
        wave = self.vocoder(mels, scales[:1] / NOISE_SCALE)[None]
        if self.gain != 1:
            wave = wave * self.gain
        return wave.clamp(-1, 1), _frames_of_ids(kept, durations)


def _frames_of_ids(kept: torch.Tensor, durations: torch.Tensor) -> torch.Tensor:
    """Return the frames of each id (1, N); the last gets those of the end, too.

    Args:
        kept: Which ids stand for tokens (N,).
        durations: Frames of those tokens and of the end.
    """
    place = (kept.long().cumsum(0) - 1).clamp(min=0)
    frames = durations[place] * kept.long()
    return torch.cat((frames[:-1], frames[-1:] + durations[-1:]))[None]


def trace(graph: VoiceGraph, ids: list[int], speakers: int = 1) -> bytes:
    """Return the ONNX model of a graph.

    Args:
        graph: The graph.
        ids: The ids of a sentence, with which the graph is traced.
        speakers: Number of speakers; with several, there is a fourth input.
    """
    inputs = example_inputs(ids)
    names = ["input", "input_lengths", "scales"]
    if speakers > 1:
        inputs, names = (*inputs, torch.tensor([0])), [*names, "sid"]
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.eval(),
            inputs,
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=["output", "frames"],
            dynamic_axes={
                "input": {1: "ids"},
                "output": {2: "samples"},
                "frames": {1: "ids"},
            },
        )
    return buffer.getvalue()


def example_inputs(
    ids: list[int], noise: float = NOISE_SCALE, length: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the three inputs of a voice of one speaker."""
    return (
        torch.tensor([ids]),
        torch.tensor([len(ids)]),
        torch.tensor([noise, length, 0.8]),
    )
