"""Build the graphs and the settings of a voice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch

from espnet_distill.data.mel_spec import MelSpec, require_extractor
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.onnx_export.checks import (
    require_compacted,
    require_language,
    require_names,
    require_supported,
    require_vocoder,
    statistics_of,
)
from espnet_distill.onnx_export.cleaner import cleaner_warnings
from espnet_distill.onnx_export.equality import (
    Reference,
    choose_gain,
    measure_loss,
    measure_rounding,
    require_equal,
    synthesize_references,
)
from espnet_distill.onnx_export.front_end import VoiceFrontEnd
from espnet_distill.onnx_export.graph import (
    AcousticGraph,
    VocoderGraph,
    VoiceGraph,
    trace_vocoder,
    trace_voice,
)
from espnet_distill.onnx_export.phoneme_ids import padded
from espnet_distill.onnx_export.quantize import quantized, require_gain
from espnet_distill.onnx_export.settings import (
    front_end_settings,
    graph_metadata,
    piper_settings,
)
from espnet_distill.onnx_export.speakers import conditions_of, named_speakers
from espnet_distill.onnx_export.storage import compact_names, store
from espnet_distill.onnx_export.vocoders.registry import Vocoder
from espnet_distill.utils.checksums import checksum, checksum_of
from espnet_distill.vocoders.build import build_vocoder
from espnet_distill.vocoders.checkpoint_formats import files_of
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.voice.config import FORMAT_VERSION
from espnet_distill.voice.graph import Graph, input_names
from espnet_distill.voice.streaming import (
    ACOUSTIC,
    REQUIRED,
    STATE,
    VOCODER,
    StreamingGraphs,
)
from espnet_distill.voice.voice import GRAPH

CHUNK = 32  # frames of a piece


@dataclass(frozen=True)
class Built:
    """A voice before it is written.

    Attributes:
        experiment: The text-to-mel model, or the student that predicts latents.
        files: Name → content of the graphs.
        settings: Content of voice.onnx.json, without the files.
        pad: Turns the ids of tokens into those that clients send.
    """

    experiment: Experiment
    files: dict[str, bytes]
    settings: dict
    pad: Callable[[list[int]], list[int]] = padded


def build_voice(
    experiment: Experiment,
    vocoder: str | Path | None,
    *,
    weights: str,
    quantize: str | None,
    streaming: bool,
    front_end: VoiceFrontEnd,
    data: Path | None,
    speakers: Path | None,
    xvectors: Sequence[str],
    language_id: int | None,
) -> Built:
    """Build a voice.

    Args:
        experiment: The text-to-mel model, or the student that predicts latents.
        vocoder: The vocoder's checkpoint or experiment folder.
        front_end: What `choose_front_end` returns.

    See `export` for the other arguments and for errors.
    """
    kind = require_supported(experiment)
    require_names(experiment, xvectors)
    vocoder_file = require_vocoder(vocoder)
    symbols = front_end.symbols
    require_compacted(experiment)
    model = experiment.model
    conditions = require_language(model.tts, language_id, experiment)
    named = named_speakers(model.tts, speakers, xvectors, experiment)
    voices = conditions_of(model.tts, xvectors, experiment, named.default)
    conditions |= voices[0] if voices else {}
    statistics = statistics_of(model, experiment)
    loaded = build_vocoder(vocoder_file, model=model)
    spec = _inputs_of(loaded, model, experiment)
    references = synthesize_references(
        model, loaded, symbols.tokens, conditions, named.default
    )
    graphs = _Graphs(
        AcousticGraph(
            kind(experiment.build().tts, language_id, voices if xvectors else ()),
            statistics,
            len(experiment.config["token_list"]),
            symbols.dropped,
        ),
        Vocoder(loaded, vocoder_file),
        choose_gain(references),
        named.count,
    )

    def rounding() -> float:
        fresh = experiment.build().eval()
        return measure_rounding(
            fresh, build_vocoder(vocoder_file, model=fresh), references, conditions
        )

    exact = graphs.trace(references[0].tokens, spec.channels, streaming)
    stored = {
        name: stored_graph(
            quantized(graph, graphs.computed["tables"]) if quantize else graph,
            weights,
            graphs.computed,
        )
        for name, graph in exact.items()
    }
    metadata = graph_metadata(
        symbols, front_end.front_end, spec.fs, graphs.speakers, FORMAT_VERSION
    )
    onnx.helper.set_model_props(stored[GRAPH], metadata)
    files = {name: graph.SerializeToString() for name, graph in stored.items()}
    settings = {
        **piper_settings(symbols, spec, named),
        "format_version": FORMAT_VERSION,
        "weights": weights,
        **({"quantize": quantize} if quantize else {}),
        "gain": graphs.gain,
        "equality": _compare(
            exact,
            {} if weights == "fp32" and not quantize else files,
            quantize,
            graphs,
            references,
            spec,
            rounding,
        ),
        "front_end": front_end_settings(front_end.front_end),
        "made_from": {
            "tts": experiment.config["tts"],
            "parameters": count_parameters(model.tts),
            **experiment.identity,
            "vocoder": type(loaded.generator).__name__,
            "vocoder_parameters": count_parameters(loaded),
            "vocoder_files": checksum_of(map(checksum, files_of(vocoder_file))),
        },
        "warnings": [
            *symbols.warnings,
            *named.warnings,
            *cleaner_warnings(experiment, front_end.trained, data),
        ],
    }
    if streaming:
        settings["streaming"] = graphs.streaming
    return Built(experiment, files, settings)


def _inputs_of(vocoder, model, experiment: Experiment) -> MelSpec | LatentSpec:
    """Return the settings of a vocoder's input, which the model predicts.

    Raises:
        ConfigError: The model predicts mels whose settings are unknown (``odim``).
    """
    if getattr(vocoder, "takes_latents", False):
        return vocoder.inputs
    require_extractor(experiment.config, str(experiment))
    return MelSpec.of_extractor(model.feats_extract)


@dataclass(frozen=True)
class _Graphs:
    """The parts of a voice."""

    acoustic: AcousticGraph
    vocoder: Vocoder
    gain: float
    speakers: int

    @property
    def streaming(self) -> dict[str, int]:
        """Frames of context to either side of a piece, and of a piece."""
        context = self.vocoder.look_ahead
        return {"context": context, "chunk": max(CHUNK, context)}

    @property
    def computed(self) -> dict[str, set[str]]:
        """Names of tensors that are not trained: tables, and noise."""
        voice = VoiceGraph(self.acoustic, self.vocoder)
        names = {name for name, _ in voice.named_buffers()}
        noise = {name for name in names if ".noise" in name}
        return {"tables": names - noise, "noise": noise}

    def trace(
        self, tokens: list[int], channels: int, streaming: bool
    ) -> dict[str, onnx.ModelProto]:
        """Return the graphs by file name, with weights in fp32."""
        ids, count = padded(tokens), self.speakers
        voice = VoiceGraph(self.acoustic, self.vocoder, self.gain)
        graphs = {GRAPH: trace_voice(voice, ids, count, "output")}
        if streaming:
            vocoder = VocoderGraph(self.vocoder, self.gain)
            graphs[ACOUSTIC] = trace_voice(self.acoustic, ids, count, "mel")
            graphs[VOCODER] = trace_vocoder(vocoder, channels)
        return {name: onnx.load_from_string(graph) for name, graph in graphs.items()}


def stored_graph(
    graph: onnx.ModelProto, weights: str, computed: dict[str, set[str]]
) -> onnx.ModelProto:
    """Return a copy of a graph with its weights stored as chosen; see `store`."""
    stored = store(graph, weights, **computed)
    compact_names(stored)
    stored.producer_name = "espnet_distill"
    return stored


def _compare(
    exact: dict[str, onnx.ModelProto],
    files: dict[str, bytes],
    quantize: str | None,
    graphs: _Graphs,
    references: list[Reference],
    spec: MelSpec | LatentSpec,
    rounding: Callable[[], float],
) -> dict[str, float | int | None]:
    """Return the differences of graphs from PyTorch, and of stored ones from fp32.

    Args:
        exact: Graphs in fp32.
        files: Those with smaller weights, or quantized; empty without any.
        quantize: How they are quantized, if they are.
        graphs: The parts of the voice.
        references: The sentences.
        spec: The settings of the vocoder's input.
        rounding: Measures PyTorch's errors of rounding.

    Raises:
        ConfigError: A waveform in fp32 differs, or quantization does not pay.
    """
    inputs = input_names(graphs.speakers > 1)
    whole = Graph(exact[GRAPH].SerializeToString(), inputs)
    equality = {"wave": require_equal(whole.stream, references, graphs.gain, rounding)}
    if ACOUSTIC in exact:
        acoustic = Graph(exact[ACOUSTIC].SerializeToString(), inputs)
        vocoder = Graph(exact[VOCODER].SerializeToString(), REQUIRED, STATE)
        parts = StreamingGraphs(acoustic, vocoder, **graphs.streaming)
        equality["stream"] = require_equal(
            parts.stream, references, graphs.gain, rounding
        )
    if files:
        stored = Graph(files[GRAPH], inputs)
        mels = spec.mels() if isinstance(spec, LatentSpec) else spec
        loss = measure_loss(stored, whole, references, mels.extractor())
        equality |= {"mel": loss.mel, "frames": loss.frames}
        if quantize:
            equality["speed"] = require_gain(stored, whole, references, loss)
    return equality


def count_parameters(module: torch.nn.Module) -> int:
    """Return the number of a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
