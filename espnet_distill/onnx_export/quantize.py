"""Dynamic quantization: products in 8 bits, with scales that are measured as they run.

Exact products remain where an error adds up or lasts: in what decides durations, pitch
and F0, and in products with computed tables, such as the inverse DFT's.
"""

import copy
import logging
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import median

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.onnx_model import ONNXModel

from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.equality import Loss, Reference
from espnet_distill.voice.graph import Graph

QUANTIZE = ("dynamic",)
EXACT = ("/encoder/", "_predictor/", "/phases/")  # parts of modules' names
MOST = 0.05  # mean difference of log-mels to those of fp32
REPEATS = 9
OPTION = "--quantize dynamic"


def quantized(model: onnx.ModelProto, tables: Collection[str]) -> onnx.ModelProto:
    """Return a copy of a graph with products of weights in 8 bits.

    Args:
        model: The graph in fp32, with the modules' names.
        tables: Names of computed tensors, whose products are kept.
    """
    copied = ONNXModel(copy.deepcopy(model))  # which is changed
    copied.replace_gemm_with_matmul()
    kept = [
        node.name
        for node in copied.nodes()
        if node.op_type == "MatMul"
        and (any(part in node.name for part in EXACT) or tables & {*node.input})
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "quantized.onnx")
        logging.disable(logging.WARNING)  # it suggests a preparation for other graphs
        try:
            quantize_dynamic(
                copied.model,
                path,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                reduce_range=True,  # sums of two products fit into 16 bits, as in AVX2
                nodes_to_exclude=kept,
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(path)


def require_gain(
    fast: Graph, exact: Graph, references: Sequence[Reference], loss: Loss
) -> float:
    """Return how many times as fast a quantized graph is as that in fp32.

    Args:
        fast: The quantized graph.
        exact: That in fp32.
        references: Sentences, of which the longest is synthesized in turn.
        loss: The effect on log-mels.

    Raises:
        ConfigError: It is not faster on this processor, or log-mels differ by more than
            MOST, or all durations do.
    """
    if loss.mel is None:
        raise ConfigError(
            f"{OPTION}: durations differ from those of fp32; leave it out"
        )
    if loss.mel > MOST:
        raise ConfigError(
            f"{OPTION}: log-mels differ by {loss.mel:.3f} from those of fp32, more than "
            f"{MOST:g}; leave it out"
        )
    inputs = references[-1].inputs
    seconds = {id(graph): [] for graph in (fast, exact)}
    for _ in range(REPEATS):
        for graph in (fast, exact):
            begun = time.process_time()
            graph.synthesize(inputs)
            seconds[id(graph)].append(time.process_time() - begun)
    gain = median(seconds[id(exact)]) / median(seconds[id(fast)])
    if gain <= 1:
        raise ConfigError(
            f"{OPTION}: takes {1 / gain:.2f} times the time of fp32 on this processor; "
            "leave it out"
        )
    return gain
