"""Storage of a graph's weights: half precision or 8 bits, computed in fp32.

Each weight is stored as a smaller type and converted by Cast (and Mul with a scale)
nodes, which ONNX Runtime folds when it loads the graph.
"""

from collections.abc import Collection, Iterator

import numpy as np
import onnx
from onnx import helper, numpy_helper

WEIGHTS = ("fp16", "fp32", "int8")
SMALL = 1024  # elements, below which a tensor stays as it is
MAX_HALF = float(np.finfo(np.float16).max)


def store(
    model: onnx.ModelProto,
    weights: str,
    tables: Collection[str] = (),
    noise: Collection[str] = (),
) -> onnx.ModelProto:
    """Return a copy of a graph with its large tensors stored as another type.

    Args:
        model: The graph, with tensors in fp32.
        weights: One of WEIGHTS; int8 has one scale for each index of an axis: the
            columns of a product's matrix, which are its outputs, and otherwise the first
            axis of more than one element: the outputs of a convolution, the inputs of a
            transposed one, the rows of an embedding.
        tables: Tensors that are computed, stored in half precision at least.
        noise: Tensors of random numbers, in 8 bits unless `weights` is fp32: the error
            is 40 dB below the noise.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    columns = {node.input[1] for node in graph.node if _has_outputs_last(node)}
    nodes, tensors = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        kind = weights
        if weights != "fp32" and tensor.name in (*tables, *noise):
            kind = "fp16" if tensor.name in tables else "int8"
        if not _is_large(values) or kind == "fp32":
            tensors.append(tensor)
            continue
        axis = values.ndim - 1 if tensor.name in columns else _first_axis(values)
        stored = _half(values) if kind == "fp16" else _eight_bits(values, axis)
        added, converted = _convert(tensor.name, *stored)
        tensors += added
        nodes += converted
    kept = [*nodes, *graph.node]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(tensors)
    return made


def _has_outputs_last(node: onnx.NodeProto) -> bool:
    """Return whether the second input of a product has a column for each output."""
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    return node.op_type in ("MatMul", "Gemm") and not transposed


def _is_large(values: np.ndarray) -> bool:
    return (
        values.dtype == np.float32
        and values.size >= SMALL
        and values.ndim > 1
        and float(np.abs(values).max()) <= MAX_HALF
    )


def _first_axis(values: np.ndarray) -> int:
    """Return the first axis of more than one element."""
    return next(axis for axis, length in enumerate(values.shape) if length > 1)


def _half(values: np.ndarray) -> tuple[np.ndarray, None]:
    return values.astype(np.float16), None


def _eight_bits(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 8-bit values and the scale of each index of an axis."""
    others = tuple(other for other in range(values.ndim) if other != axis)
    scales = np.abs(values).max(axis=others, keepdims=True) / 127
    scales[scales == 0] = 1
    return np.round(values / scales).astype(np.int8), scales.astype(np.float32)


def _convert(
    name: str, values: np.ndarray, scales: np.ndarray | None
) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """Return the tensors of a stored weight, and the nodes that make it of them."""
    tensors = [numpy_helper.from_array(values, f"{name}.stored")]
    cast = name if scales is None else f"{name}.cast"
    nodes = [
        helper.make_node("Cast", [tensors[0].name], [cast], to=onnx.TensorProto.FLOAT)
    ]
    if scales is not None:
        tensors.append(numpy_helper.from_array(scales, f"{name}.scales"))
        nodes.append(helper.make_node("Mul", [cast, tensors[1].name], [name]))
    return tensors, nodes


def compact_names(model: onnx.ModelProto) -> None:
    """Shorten the names of values, and remove those of nodes, in place."""
    graph = model.graph
    kept = {"", *(value.name for value in (*graph.input, *graph.output))}
    short: dict[str, str] = {}

    def rename(names) -> None:
        for index, name in enumerate(names):
            if name not in kept:
                names[index] = short.setdefault(name, f"{len(short):x}")

    for node in _nodes(graph):
        node.name = node.doc_string = ""
        rename(node.input)
        rename(node.output)
    for tensor in graph.initializer:
        if tensor.name not in kept:
            tensor.name = short.setdefault(tensor.name, f"{len(short):x}")
    del graph.value_info[:]


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph, which has no graphs inside."""
    for node in graph.node:
        if any(attribute.HasField("g") for attribute in node.attribute):
            raise ValueError(f"{node.op_type} has a graph")
        yield node
