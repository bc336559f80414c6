"""The weights of a Piper voice, by the names of the original VITS."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.utils.validation import require_finite

INPUTS = ("input", "input_lengths", "scales")
PARTS = ("enc_p", "dp", "flow", "dec", "emb_g")
WEIGHTED = ("Conv", "ConvTranspose", "Gather")


@dataclass
class PiperGraph:
    """Weights and convolutions of an exported VITS.

    Attributes:
        path: The file.
        weights: Arrays by the name of the parameter; `take` removes them.
        strides, dilations: Of a convolution, by the path of its module.
    """

    path: Path
    weights: dict[str, np.ndarray]
    strides: dict[str, int] = field(default_factory=dict)
    dilations: dict[str, int] = field(default_factory=dict)

    def take(self, name: str) -> np.ndarray:
        """Remove a weight and return it.

        Raises:
            ConfigError: There is none of this name.
        """
        if name not in self.weights:
            raise self.unknown(f"has no {name}")
        return self.weights.pop(name)

    def count(self, pattern: str) -> int:
        """Return how many of the names `pattern.format(0)`, … there are."""
        number = 0
        while pattern.format(number) in self.weights:
            number += 1
        return number

    def require_empty(self) -> None:
        """Raise a ConfigError if weights are left that nothing has taken."""
        if self.weights:
            raise self.unknown(f"has unknown weights: {', '.join([*self.weights][:3])}")

    def unknown(self, fault: str) -> ConfigError:
        """Return the error of a voice whose structure is another one."""
        return ConfigError(
            f"{self.path}: {fault}; only the structure of Piper's low, medium and high "
            "voices is known: name one of them"
        )


def read_graph(path: Path) -> PiperGraph:
    """Read the weights of a Piper voice.

    Raises:
        ConfigError: No such file, no ONNX graph, or that of something else, which the
            message describes; or weights that are NaN or infinite.
    """
    graph = _load(path)
    arrays = _arrays(graph)
    read = PiperGraph(path, {})
    for node in graph.node:
        _read_node(node, arrays, read)
    for name, array in arrays.items():
        if name.startswith(PARTS) and not name.startswith("/"):
            read.weights[name] = array
    _fill_log_scale(read, graph, arrays)
    _require_piper(path, graph, read)
    require_finite(read.weights, str(path), "download the voice again")
    return read


def _load(path: Path):
    import onnx

    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's and the file system's differ in class
        raise ConfigError(
            f"{path}: is no ONNX graph ({summarize(error, 80)}); name a voice's .onnx"
        ) from error
    if not model.graph.node:
        raise ConfigError(
            f"{path}: is no ONNX graph: it is empty; name a voice's .onnx"
        )
    return model.graph


def _arrays(graph) -> dict[str, np.ndarray]:
    """Return the constants of a graph by name."""
    from onnx import numpy_helper

    arrays = {one.name: numpy_helper.to_array(one).copy() for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            arrays[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    for node in graph.node:  # an exporter shares equal constants by Identity
        if node.op_type == "Identity" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
    return arrays


def _read_node(node, arrays: Mapping[str, np.ndarray], read: PiperGraph) -> None:
    """Take the weight of a convolution or embedding, whatever name it was given.

    An exporter that folds weight normalization names the result by a number.
    """
    if node.op_type not in WEIGHTED:
        return
    module = _module_of(node)
    place = 0 if node.op_type == "Gather" else 1
    if not module.startswith(PARTS) or node.input[place] not in arrays:
        return
    if node.op_type == "Gather":
        if module in ("enc_p.emb", "emb_g"):
            read.weights[f"{module}.weight"] = arrays[node.input[0]]
        return
    read.weights[f"{module}.weight"] = arrays[node.input[1]]
    if len(node.input) > 2:
        read.weights[f"{module}.bias"] = arrays[node.input[2]]
    values = {one.name: list(one.ints) for one in node.attribute}
    read.strides[module] = (values.get("strides") or [1])[0]
    read.dilations[module] = (values.get("dilations") or [1])[0]


def _module_of(node) -> str:
    """Return the path of the module that a node was exported from."""
    if len(node.input) > 2 and node.input[2].endswith(".bias"):
        return node.input[2].removesuffix(".bias")
    return ".".join(node.name.strip("/").split("/")[:-1])


def _fill_log_scale(read: PiperGraph, graph, arrays: Mapping[str, np.ndarray]) -> None:
    """Restore the log-scale of the durations' affine flow, of which exp(-x) is left.

    Exporters fold the minus sign, or the exponential, too.
    """
    name = "dp.flows.0"
    for node in graph.node:
        is_scale = node.op_type == "Exp" and _module_of(node) == name
        if is_scale and node.input[0] in arrays:
            read.weights.setdefault(f"{name}.logs", -arrays[node.input[0]])
    folded = arrays.get("/dp/flows.0/Exp_output_0")
    if folded is not None:
        read.weights.setdefault(f"{name}.logs", -np.log(folded))


def _require_piper(path: Path, graph, read: PiperGraph) -> None:
    """Raise a ConfigError that describes a graph which is no Piper voice."""
    constants = {one.name for one in graph.initializer}
    inputs = [one.name for one in graph.input if one.name not in constants]
    parts = {name.partition(".")[0] for name in read.weights}
    missing = {"enc_p", "dp", "flow", "dec"} - parts
    if [name for name in inputs if name != "sid"] != list(INPUTS) or missing:
        raise ConfigError(
            f"{path}: is no Piper voice but a graph with inputs {', '.join(inputs)} and "
            f"outputs {', '.join(one.name for one in graph.output)}, "
            f"{_describe(missing)}; name a voice that Piper has exported"
        )


def _describe(missing: set[str]) -> str:
    if not missing:
        return "where Piper has " + ", ".join(INPUTS)
    return "without weights of VITS's " + ", ".join(sorted(missing))


def layers_of(read: PiperGraph, pattern: str) -> Iterator[str]:
    """Yield the paths of a pattern's modules, 0, 1, …"""
    for number in range(read.count(f"{pattern}.weight")):
        yield pattern.format(number)
