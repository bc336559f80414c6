"""Comparison of a graph with PyTorch's synthesis on sentences of three lengths."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.phoneme_ids import padded
from espnet_distill.onnx_export.settings import INFERENCE
from espnet_distill.voice.graph import Graph, Inputs, graph_inputs

LENGTHS = (8, 24, 64)  # tokens
TOLERANCE = 1e-4
ROUNDING = 10.0  # times PyTorch's own rounding errors, where these are larger
NOT_COVERED = (
    "the model computes what the export does not cover; report its configuration"
)
PEAK, MOST = 0.7, 10.0  # peak to which quiet voices are raised, and the largest gain


@dataclass(frozen=True)
class Reference:
    """A sentence, synthesized by ESPnet and PyTorch.

    Attributes:
        tokens: Token ids without the end.
        wave: The waveform (T,).
        ids: The ids that clients send for them.
        scales: Of noise, length and the durations' noise.
        speaker: The speaker's id, of several.
    """

    tokens: list[int]
    wave: np.ndarray
    ids: list[int]
    scales: tuple[float, ...] = tuple(INFERENCE.values())
    speaker: int = 0

    @property
    def inputs(self) -> Inputs:
        """Those of a voice's graph."""
        return graph_inputs(self.ids, self.scales, self.speaker)


def synthesize_references(
    model,
    vocoder,
    tokens: list[int],
    conditions: dict[str, torch.Tensor],
    speaker: int = 0,
) -> list[Reference]:
    """Synthesize random sentences of LENGTHS.

    Args:
        model: The ESPnetTTSModel.
        vocoder: The loaded vocoder.
        tokens: Ids that stand for tokens.
        conditions: `sids` and `lids`, if the model takes them.
        speaker: The id by which the voice has the speaker of the conditions.
    """
    generator = torch.Generator().manual_seed(0)
    references = []
    for length in LENGTHS:
        sentence = random_sentence(tokens, length, generator)
        wave = _synthesize(model, vocoder, sentence, conditions)
        ids = padded(sentence.tolist())
        references.append(Reference(sentence.tolist(), wave, ids, speaker=speaker))
    return references


@torch.no_grad()
def _synthesize(model, vocoder, sentence: torch.Tensor, conditions) -> np.ndarray:
    options = {"use_teacher_forcing": False, "alpha": 1.0}
    made = model.inference(text=sentence, **conditions, **options)
    return vocoder(made.get("feat_gen_denorm", made["feat_gen"])).view(-1).numpy()


def measure_rounding(
    model, vocoder, references: list[Reference], conditions: dict[str, torch.Tensor]
) -> float:
    """Return the largest difference of references from waveforms in float64.

    Sentences whose frames differ are left out.

    Args:
        model: The ESPnetTTSModel, which is converted to float64.
        vocoder: The loaded vocoder, which is converted, too.
        references: The waveforms in float32.
        conditions: As for `synthesize_references`.
    """
    model.double()
    vocoder.double()
    conditions = {
        name: value.double() if value.is_floating_point() else value
        for name, value in conditions.items()
    }
    worst = 0.0
    with default_dtype(torch.float64):
        for reference in references:
            sentence = torch.tensor(reference.tokens)
            wave = _synthesize(model, vocoder, sentence, conditions)
            if wave.shape == reference.wave.shape:
                worst = max(worst, float(np.abs(wave - reference.wave).max()))
    return worst


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Make a type the default of new tensors."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def random_sentence(
    tokens: list[int], length: int, generator: torch.Generator
) -> torch.Tensor:
    """Return ids (length,) that are drawn from tokens."""
    drawn = torch.randint(len(tokens), (length,), generator=generator)
    return torch.tensor(tokens)[drawn]


def choose_gain(references: list[Reference]) -> float:
    """Return the factor that raises the highest peak to PEAK, at least 1."""
    peak = max(float(np.abs(one.wave).max()) for one in references)
    return min(max(1.0, PEAK / max(peak, 1e-9)), MOST)


def require_equal(
    stream: Callable[[Inputs], Iterator[np.ndarray]],
    references: list[Reference],
    gain: float,
    rounding: Callable[[], float] = float,
) -> float:
    """Compare a voice's waveforms with references.

    Phases are sums of F0 over frames, so that errors of rounding grow with the length of
    a sentence and the level of its speech. They are two random sums, of which one may be
    small: where TOLERANCE is exceeded, ROUNDING times those of PyTorch are allowed.

    Args:
        stream: The inputs of a graph to pieces of a waveform (T,).
        references: The sentences.
        gain: Factor of the voice's waveform.
        rounding: Measures PyTorch's errors of rounding.

    Returns:
        The largest difference, at the level of the references.

    Raises:
        ConfigError: The difference is too large, or a length differs.
    """
    differences = []
    for reference in references:
        wave = np.concatenate(list(stream(reference.inputs)))
        if wave.shape != reference.wave.shape:
            raise ConfigError(
                f"the graph synthesizes {len(wave)} samples of {len(reference.tokens)} "
                f"tokens, PyTorch {len(reference.wave)}: {NOT_COVERED}"
            )
        expected = np.clip(reference.wave * gain, -1, 1)
        differences.append(np.abs(wave - expected).max() / gain)
    worst = float(np.max(differences))  # NaN if one is
    if worst <= TOLERANCE:
        return worst
    allowed = max(TOLERANCE, ROUNDING * rounding())
    if not worst <= allowed:
        raise ConfigError(
            f"the graph's waveform differs from PyTorch's by {worst:.1e}, more than "
            f"{allowed:.2g}: {NOT_COVERED}"
        )
    return worst


@dataclass(frozen=True)
class Loss:
    """The effect of a smaller storage of weights.

    Attributes:
        mel: Mean absolute difference of log-mels to those of fp32, of sentences of
            equal durations; None without any.
        frames: Largest difference of a sentence's number of frames.
    """

    mel: float | None
    frames: int


def measure_loss(
    stored: Graph, exact: Graph, references: list[Reference], extractor
) -> Loss:
    """Compare the waveforms of two voices by their log-mels.

    Args:
        stored: With weights of a smaller type.
        exact: In fp32.
        references: The sentences.
        extractor: ESPnet's `feats_extract`.
    """
    mels, frames = [], [0]
    shortest = extractor.stft.n_fft // 2 + 1  # samples that torch.stft can reflect
    for reference in references:
        (wave, own), (exact_wave, expected) = (
            graph.synthesize(reference.inputs) for graph in (stored, exact)
        )
        frames.append(abs(int(own.sum() - expected.sum())))
        if np.array_equal(own, expected):
            padding = 0, max(0, shortest - len(wave))
            one, other = (
                extractor(torch.from_numpy(np.pad(array, padding))[None])[0]
                for array in (wave, exact_wave)
            )
            mels.append(float((one - other).abs().mean()))
    return Loss(sum(mels) / len(mels) if mels else None, max(frames))
