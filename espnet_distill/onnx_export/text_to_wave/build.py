"""Build the graph and the settings of a voice of a text-to-waveform model."""

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import torch
from espnet2.gan_tts.vits import VITS

from espnet_distill.data.front_end import FrontEnd
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.onnx_export.build import Built, count_parameters, stored_graph
from espnet_distill.onnx_export.checks import (
    require_language,
    require_names,
    speakers_of,
)
from espnet_distill.onnx_export.equality import (
    LENGTHS,
    Reference,
    choose_gain,
    measure_loss,
    random_sentence,
    require_equal,
)
from espnet_distill.onnx_export.graph import trace_voice
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds, padded, phoneme_ids
from espnet_distill.onnx_export.settings import (
    INFERENCE,
    front_end_settings,
    graph_metadata,
    piper_settings,
    speaker_ids,
)
from espnet_distill.onnx_export.text_to_wave.registry import (
    build_graph,
    require_exportable,
)
from espnet_distill.profiling.macs import parameters
from espnet_distill.teachers.piper_padding import PiperPadding
from espnet_distill.teachers.text_to_wave import decoder_of
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.voice.config import FORMAT_VERSION, VoiceConfig, read_config
from espnet_distill.voice.espeak import load_espeak
from espnet_distill.voice.graph import Graph, input_names
from espnet_distill.voice.phonemes import SPACE
from espnet_distill.voice.voice import GRAPH

IMPORTED = "voice.onnx.json"  # settings of a voice that an experiment was made of
STILL = (0.0, 1.0, 0.0)  # without noise


def build_text_to_wave(
    experiment: Experiment,
    *,
    weights: str,
    data: Path | None,
    espeak_voice: str | None,
    speakers: Path | None,
    xvectors: Sequence[str],
    language_id: int | None,
) -> Built:
    """Build a voice; see `export` for arguments and errors."""
    require_names(experiment, xvectors)
    model = experiment.model
    require_exportable(model.tts, experiment)
    conditions = require_language(model.tts, language_id, experiment)
    voices = speakers_of(model.tts, xvectors, experiment)
    conditions |= voices[0] if voices else {}
    front_end, symbols, pad, imported = _symbols(experiment, data, espeak_voice)
    names = speaker_ids(
        speakers or _beside(experiment, "spk2sid"), xvectors, model.tts.spks or 1
    )
    references = synthesize_references(model.tts, symbols.tokens, pad, conditions)
    gain = choose_gain(references)
    graph = build_graph(
        experiment.build().tts,
        symbols,
        language_id,
        voices if xvectors else (),
        gain,
        str(experiment),
    )
    traced = trace_voice(graph, references[0].ids, max(len(names), 1), "output")
    exact = onnx.load_from_string(traced)
    buffers = {name for name, _ in graph.named_buffers()}
    noise = {name for name in buffers if ".noise" in name}
    stored = stored_graph(exact, weights, {"tables": buffers - noise, "noise": noise})
    decoder = decoder_of(model.tts)
    spec = LatentSpec(model.tts.fs, decoder.upsample_factor, 1, 0, "")
    metadata = graph_metadata(
        symbols, front_end, spec.fs, max(len(names), 1), FORMAT_VERSION
    )
    onnx.helper.set_model_props(stored, metadata)
    files = {GRAPH: stored.SerializeToString()}
    settings = {
        **piper_settings(symbols, spec, names),
        "inference": dict(imported.scales) if imported else INFERENCE,
        "format_version": FORMAT_VERSION,
        "weights": weights,
        "gain": gain,
        "equality": _compare(
            exact,
            None if weights == "fp32" else files[GRAPH],
            references,
            gain,
            names,
            spec,
        ),
        "front_end": front_end_settings(front_end),
        "made_from": {
            "tts": experiment.config["tts"],
            "parameters": parameters(model.tts),
            **experiment.identity,
            "vocoder": type(getattr(decoder, "generator", decoder)).__name__,
            "vocoder_parameters": count_parameters(decoder),
            "vocoder_files": experiment.identity["checkpoint"],
        },
        "warnings": list(symbols.warnings),
    }
    return Built(experiment, files, settings, pad)


def _symbols(
    experiment: Experiment, data: Path | None, espeak_voice: str | None
) -> tuple[FrontEnd, PhonemeIds, Callable, VoiceConfig | None]:
    """Return front end, ids, padding, and the settings of an imported voice."""
    tokens = experiment.config["token_list"]
    padding = experiment.config["tts_conf"].get("padding")
    front_end = FrontEnd.of(experiment.config, data)
    if espeak_voice:
        load_espeak().require_voice(espeak_voice)
    if padding is None:
        symbols = phoneme_ids(tokens, front_end, espeak_voice, str(experiment))
        return front_end, symbols, padded, None
    path = _beside(experiment, IMPORTED)
    if path is None:
        raise ConfigError(
            f"{experiment}: no {IMPORTED} beside it, which import-piper writes; import "
            "the voice again"
        )
    imported = read_config(path)
    voice = espeak_voice or imported.espeak_voice
    front_end = FrontEnd("phn", language=imported.language, voice=voice)
    unnamed = {index for index, token in enumerate(tokens) if _is_unnamed(token)}
    ids = {
        " " if token == SPACE else token: index
        for index, token in enumerate(tokens)
        if index not in unnamed
    }
    symbols = PhonemeIds(ids, imported.phoneme_type, voice, ())
    return front_end, symbols, PiperPadding(*padding).pad, imported


def _is_unnamed(token: str) -> bool:
    return token.startswith("<") and token != SPACE and len(token) > 1


def _beside(experiment: Experiment, name: str) -> Path | None:
    path = experiment.config_file.with_name(name)
    return path if path.is_file() else None


def synthesize_references(
    tts: torch.nn.Module,
    tokens: list[int],
    pad: Callable,
    conditions: dict[str, torch.Tensor],
) -> list[Reference]:
    """Synthesize random sentences of LENGTHS without noise.

    Args:
        tts: The text-to-waveform model.
        tokens: Ids that stand for tokens.
        pad: Turns them into those that clients send.
        conditions: `sids`, `lids` and `spembs`, those that the model takes.
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
            Reference(sentence.tolist(), made["wav"].view(-1).numpy(), ids, STILL)
        )
    return references


def _compare(
    exact: onnx.ModelProto,
    stored: bytes | None,
    references: list[Reference],
    gain: float,
    names: dict,
    spec: LatentSpec,
) -> dict[str, float | int | None]:
    """Return the graph's difference from PyTorch, and that of smaller weights."""
    inputs = input_names(len(names) > 1)
    whole = Graph(exact.SerializeToString(), inputs)
    equality = {"wave": require_equal(whole.stream, references, gain)}
    if stored:
        extractor = spec.mels().extractor()
        loss = measure_loss(Graph(stored, inputs), whole, references, extractor)
        equality |= {"mel": loss.mel, "frames": loss.frames}
    return equality
