"""Build the graph and the settings of a voice of a text-to-waveform model."""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import torch
from espnet2.gan_tts.vits import VITS

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.onnx_export.build import Built, count_parameters, stored_graph
from espnet_distill.onnx_export.checks import (
    require_language,
    require_names,
)
from espnet_distill.onnx_export.cleaner import cleaner_warnings
from espnet_distill.onnx_export.equality import (
    LENGTHS,
    Reference,
    choose_gain,
    measure_loss,
    random_sentence,
    require_equal,
)
from espnet_distill.onnx_export.front_end import VoiceFrontEnd
from espnet_distill.onnx_export.graph import trace_voice
from espnet_distill.onnx_export.settings import (
    INFERENCE,
    front_end_settings,
    graph_metadata,
    piper_settings,
)
from espnet_distill.onnx_export.speakers import (
    Speakers,
    conditions_of,
    named_speakers,
)
from espnet_distill.onnx_export.text_to_wave.registry import (
    build_graph,
    require_exportable,
)
from espnet_distill.profiling.macs import parameters
from espnet_distill.teachers.text_to_wave import decoder_of
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.voice.config import FORMAT_VERSION
from espnet_distill.voice.graph import Graph, input_names
from espnet_distill.voice.voice import GRAPH

STILL = (0.0, 1.0, 0.0)  # without noise


def build_text_to_wave(
    experiment: Experiment,
    *,
    weights: str,
    front_end: VoiceFrontEnd,
    data: Path | None,
    speakers: Path | None,
    xvectors: Sequence[str],
    language_id: int | None,
) -> Built:
    """Build a voice.

    Args:
        experiment: The text-to-waveform model.
        front_end: What `choose_front_end` returns.

    See `export` for the other arguments and for errors.
    """
    require_names(experiment, xvectors)
    model = experiment.model
    require_exportable(model.tts, experiment)
    conditions = require_language(model.tts, language_id, experiment)
    beside = _beside(experiment, "spk2sid")
    named = named_speakers(model.tts, speakers, xvectors, experiment, beside)
    voices = conditions_of(model.tts, xvectors, experiment, named.default)
    conditions |= voices[0] if voices else {}
    symbols, pad, imported = front_end.symbols, front_end.pad, front_end.imported
    references = synthesize_references(
        model.tts, symbols.tokens, pad, conditions, named.default
    )
    gain = choose_gain(references)
    graph = build_graph(
        experiment.build().tts,
        symbols,
        language_id,
        voices if xvectors else (),
        gain,
        str(experiment),
    )
    traced = trace_voice(graph, references[0].ids, named.count, "output")
    exact = onnx.load_from_string(traced)
    buffers = {name for name, _ in graph.named_buffers()}
    noise = {name for name in buffers if ".noise" in name}
    stored = stored_graph(exact, weights, {"tables": buffers - noise, "noise": noise})
    decoder = decoder_of(model.tts)
    spec = LatentSpec(model.tts.fs, decoder.upsample_factor, 1, 0, "")
    metadata = graph_metadata(
        symbols, front_end.front_end, spec.fs, named.count, FORMAT_VERSION
    )
    onnx.helper.set_model_props(stored, metadata)
    files = {GRAPH: stored.SerializeToString()}
    settings = {
        **piper_settings(symbols, spec, named),
        "inference": dict(imported.scales) if imported else INFERENCE,
        "format_version": FORMAT_VERSION,
        "weights": weights,
        "gain": gain,
        "equality": _compare(
            exact,
            None if weights == "fp32" else files[GRAPH],
            references,
            gain,
            named,
            spec,
        ),
        "front_end": front_end_settings(front_end.front_end),
        "made_from": {
            "tts": experiment.config["tts"],
            "parameters": parameters(model.tts),
            **experiment.identity,
            "vocoder": type(getattr(decoder, "generator", decoder)).__name__,
            "vocoder_parameters": count_parameters(decoder),
            "vocoder_files": experiment.identity["checkpoint"],
        },
        "warnings": [
            *symbols.warnings,
            *named.warnings,
            *cleaner_warnings(experiment, front_end.trained, data),
        ],
    }
    return Built(experiment, files, settings, pad)


def _beside(experiment: Experiment, name: str) -> Path | None:
    path = experiment.config_file.with_name(name)
    return path if path.is_file() else None


def synthesize_references(
    tts: torch.nn.Module,
    tokens: list[int],
    pad: Callable,
    conditions: dict[str, torch.Tensor],
    speaker: int = 0,
) -> list[Reference]:
    """Synthesize random sentences of LENGTHS without noise.

    Args:
        tts: The text-to-waveform model.
        tokens: Ids that stand for tokens.
        pad: Turns them into those that clients send.
        conditions: `sids`, `lids` and `spembs`, those that the model takes.
        speaker: The id by which the voice has the speaker of the conditions.
    """
    generator = torch.Generator().manual_seed(0)
    options = {}
    if isinstance(tts, VITS):
        options = {"noise_scale": STILL[0], "noise_scale_dur": STILL[2]}
    references = []
    for length in LENGTHS:
        sentence = random_sentence(tokens, length, generator)
        with torch.no_grad():
            made = tts.inference(text=sentence, **conditions, **options)
        ids = pad(sentence.tolist())
        references.append(
            Reference(
                sentence.tolist(),
                made["wav"].view(-1).numpy(),
                ids,
                STILL,
                speaker,
            )
        )
    return references


def _compare(
    exact: onnx.ModelProto,
    stored: bytes | None,
    references: list[Reference],
    gain: float,
    speakers: Speakers,
    spec: LatentSpec,
) -> dict[str, float | int | None]:
    """Return the graph's difference from PyTorch, and that of smaller weights."""
    inputs = input_names(speakers.count > 1)
    whole = Graph(exact.SerializeToString(), inputs)
    equality = {"wave": require_equal(whole.stream, references, gain)}
    if stored:
        extractor = spec.mels().extractor()
        loss = measure_loss(Graph(stored, inputs), whole, references, extractor)
        equality |= {"mel": loss.mel, "frames": loss.frames}
    return equality
