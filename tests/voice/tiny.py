"""Tiny voices whose samples are known, in Piper's form."""

import hashlib
import json
import string
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, save

RATE = 16000
HOP = 64  # samples of an id at length scale 1
SYMBOLS = "_^$ .,?!" + string.ascii_letters
INFERENCE = {"noise_scale": 0.5, "length_scale": 1.0, "noise_w": 0.25}
STEP = 1 / 1024


def make_voice(
    folder: Path, speakers=(), finite=True, streaming=None, **changes
) -> Path:
    """Write ``voice.onnx`` and ``voice.onnx.json``; return the folder.

    Args:
        folder: The folder, which is created.
        speakers: Names, if there are several.
        finite: Whether the samples are finite.
        streaming: Frames of context and of a piece, if there are graphs for a stream.
        changes: Keys of the JSON file with other values; None removes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if streaming:
        write_streaming(folder)
        changes["streaming"] = streaming
    save(graph(bool(speakers), finite), folder / "voice.onnx")
    content = {
        "format_version": 1,
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en-us"},
        "language": {"code": "en"},
        "phoneme_type": "text",
        "inference": INFERENCE,
        "num_symbols": len(SYMBOLS),
        "num_speakers": max(1, len(speakers)),
        "speaker_id_map": {name: number for number, name in enumerate(speakers)},
        "phoneme_id_map": {char: [id] for id, char in enumerate(SYMBOLS)},
    } | changes
    kept = {key: value for key, value in content.items() if value is not None}
    (folder / "voice.onnx.json").write_text(json.dumps(kept), encoding="utf-8")
    return folder


def graph(has_speakers: bool = False, finite: bool = True):
    """Return a model of the samples of :func:`expected`."""
    kinds = {"input": [1, "ids"], "input_lengths": [1]}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name, shape in kinds.items()
    ]
    inputs.append(helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]))
    speaker = "zero"
    if has_speakers:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
        speaker = "sid"
    node = helper.make_node
    step = STEP if finite else np.nan
    constants = {
        "hop": np.array(HOP, np.float32),
        "step": np.array(step, np.float32),
        "hundred": np.array([100], np.int64),
        "zero": np.array([0], np.int64),
        "ones": np.array([1, 1], np.int64),
        "flat": np.array([1, 1, -1], np.int64),
        "last": np.array([2], np.int64),
    }
    nodes = [
        *_constants(**constants),
        node("Split", ["scales"], ["noise", "length", "width"], num_outputs=3),
        node("Mul", [speaker, "hundred"], ["offset"]),
        node("Add", ["input", "offset"], ["shifted"]),
        node("Cast", ["shifted"], ["real"], to=TensorProto.FLOAT),
        node("Add", ["real", "noise"], ["noisy"]),
        node("Add", ["noisy", "width"], ["wide"]),
        node("Mul", ["wide", "step"], ["values"]),
        node("Unsqueeze", ["values", "last"], ["columns"]),
        node("Mul", ["length", "hop"], ["samples"]),
        node("Round", ["samples"], ["rounded"]),
        node("Cast", ["rounded"], ["count"], to=TensorProto.INT64),
        node("Concat", ["ones", "count"], ["shape"], axis=0),
        node("Expand", ["columns", "shape"], ["frames"]),
        node("Reshape", ["frames", "flat"], ["output"]),
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, "T"])
    return _model(helper.make_graph(nodes, "tiny", inputs, [output]))


def write_streaming(folder: Path) -> None:
    """Write two graphs of the same samples, to which the time is added."""
    node, info = helper.make_node, helper.make_tensor_value_info
    ids = info("input", TensorProto.INT64, [1, "ids"])
    inputs = [ids, info("input_lengths", TensorProto.INT64, [1])]
    inputs.append(info("scales", TensorProto.FLOAT, [3]))
    mel = info("mel", TensorProto.FLOAT, [1, "frames", 1])
    acoustic = [
        *_constants(last=np.array([2], np.int64)),
        node("Split", ["scales"], ["noise", "length", "width"], num_outputs=3),
        node("Cast", ["input"], ["real"], to=TensorProto.FLOAT),
        node("Mul", ["real", "length"], ["longer"]),
        node("Add", ["longer", "width"], ["wide"]),
        node("Unsqueeze", ["wide", "last"], ["mel"]),
    ]
    _save(acoustic, inputs, [mel], folder / "acoustic.onnx")
    state = [
        mel,
        info("noise_scale", TensorProto.FLOAT, [1]),
        *(info(name, TensorProto.INT64, [1]) for name in ("first", "anchor")),
        info("passed", TensorProto.DOUBLE, [1]),
    ]
    vocoder = [
        *_constants(
            step=np.array(STEP, np.float32),
            zero=np.array(0, np.int64),
            one=np.array(1, np.int64),
            axis=np.array([1], np.int64),
            hop=np.array([1, 1, HOP], np.int64),
            flat=np.array([1, 1, -1], np.int64),
            none=np.array([-1], np.int64),
            begin=np.array([0], np.int64),
        ),
        node("Shape", ["mel"], ["size"], start=1, end=2),
        node("Squeeze", ["size"], ["count"]),
        node("Add", ["count", "one"], ["ends"]),
        node("Range", ["zero", "ends", "one"], ["indices"]),
        node("Sub", ["indices", "anchor"], ["since"]),
        node("Cast", ["since"], ["turns"], to=TensorProto.DOUBLE),
        node("Add", ["turns", "passed"], ["cycles"]),
        node("Add", ["indices", "first"], ["places"]),
        node("Cast", ["places"], ["times"], to=TensorProto.FLOAT),
        node("Cast", ["cycles"], ["phases"], to=TensorProto.FLOAT),
        node("Add", ["times", "phases"], ["both"]),
        node("Slice", ["both", "begin", "none"], ["frames"]),
        node("Unsqueeze", ["frames", "axis"], ["column"]),
        node("Add", ["mel", "column"], ["timed"]),
        node("Add", ["timed", "noise_scale"], ["noisy"]),
        node("Mul", ["noisy", "step"], ["values"]),
        node("Expand", ["values", "hop"], ["samples"]),
        node("Reshape", ["samples", "flat"], ["wave"]),
    ]
    outputs = [info("wave", TensorProto.FLOAT, [1, 1, "T"])]
    outputs.append(info("cycles", TensorProto.DOUBLE, ["ends"]))
    _save(vocoder, state, outputs, folder / "vocoder.onnx")


def _constants(**values: np.ndarray) -> list:
    return [
        helper.make_node("Constant", [], [name], value=_tensor(name, value))
        for name, value in values.items()
    ]


def _save(nodes, inputs, outputs, path: Path) -> None:
    save(_model(helper.make_graph(nodes, "tiny", inputs, outputs)), path)


def _model(graph):
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _tensor(name: str, value: np.ndarray):
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    return helper.make_tensor(name, kind, value.shape, value.flatten())


def ids_of(text: str) -> list[int]:
    """Return the ids of a sentence as Piper writes them: ``^ _ (p _)* $``."""
    inner = "".join(f"{char}_" for char in text)
    return [SYMBOLS.index(char) for char in f"^_{inner}$"]


def expected(text: str, sid=0, speed=1.0, noise=INFERENCE["noise_scale"]) -> np.ndarray:
    """Return the samples of one sentence."""
    values = np.array(ids_of(text)) + 100 * sid + noise + INFERENCE["noise_w"]
    count = int(np.float32(HOP / speed).round())
    return np.repeat(values * STEP, count).astype(np.float32)


_CONTENT = graph().SerializeToString()
RECORDED = {  # of a voice of one speaker
    "voice.onnx": {
        "bytes": len(_CONTENT),
        "sha256": hashlib.sha256(_CONTENT).hexdigest(),
    }
}
