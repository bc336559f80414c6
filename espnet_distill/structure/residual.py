"""The residual stream of a model: its readers, its branches, its positions."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.layer_stacks import depths

QUERIES, KEYS = "linear_q.weight", "linear_k.weight"


POSITIONS, OUTPUTS = "linear_pos.weight", "linear_out.weight"


CONVOLUTION = "pointwise_conv1.weight"


def is_stream(group: Group) -> bool:
    """Tell whether a group is a residual stream.

    Attention reads it, or it runs from the embedding of the tokens to the mel.
    """
    through = _reads(group, "embed.weight") and _reads(group, "feat_out.weight")
    return has_positions(group) or through


def has_positions(group: Group) -> bool:
    """Tell whether a group is a stream that a table of positions is added to.

    One attention reads its queries and its keys from it; that of style tokens reads
    each from elsewhere.
    """
    return any((f"{name}{KEYS}", 1) in group for name in _attentions(group, QUERIES))


def is_inside(group: Group, streams: Sequence[Group]) -> bool:
    """Tell whether stock ESPnet has as many of a group's units as its stream has.

    Those are the channels of attention that reads a stream, and of a conformer's
    convolutions.
    """
    return any(
        axis.parameter.endswith((QUERIES, CONVOLUTION))
        and (axis.parameter, 1) in stream
        for axis in group.axes
        if axis.dim == 0
        for stream in streams
    )


def is_style(group: Group, streams: Sequence[Group]) -> bool:
    """Tell whether a group's units are of style tokens, as many as their stream says.

    An attention that adds to a stream and reads its queries from none has them as its
    channels, or reads them as its keys.
    """
    names = {*_attentions(group, OUTPUTS), *_attentions(group, KEYS)}
    return any(
        any((f"{name}{OUTPUTS}", 0) in stream for stream in streams)
        and not any((f"{name}{QUERIES}", 1) in stream for stream in streams)
        for name in names
    )


def is_attention(group: Group) -> bool:
    """Tell whether a group's units are channels of one attention, and nothing else."""
    return any(
        all(axis.parameter.startswith(name) for axis in group.axes)
        for name in _attentions(group, QUERIES, dim=0)
    )


def _reads(group: Group, name: str) -> bool:
    return any(a.dim == 1 and a.parameter.endswith(name) for a in group.axes)


def _attentions(group: Group, weight: str, dim: int = 1) -> Iterator[str]:
    """Yield the prefixes of the attentions one weight of which has a group's units."""
    for axis in group.axes:
        if axis.dim == dim and axis.parameter.endswith(weight):
            yield axis.parameter.removesuffix(weight)


def with_position_readers(
    groups: Sequence[Group], names: Container[str]
) -> list[Group]:
    """Add to residual streams what reads their table of positions.

    Autograd does not see it: the table is a constant, as wide as what the queries of
    the same attention read.

    Args:
        groups: Groups of a model.
        names: Of the model's parameters.
    """
    return [_with_position_readers(group, names) for group in groups]


def _with_position_readers(group: Group, names: Container[str]) -> Group:
    readers = [f"{name}{POSITIONS}" for name in _attentions(group, QUERIES)]
    places = torch.arange(group.size)[None]
    added = [
        Axis(name, 1, places)
        for name in dict.fromkeys(readers)
        if name in names and (name, 1) not in group
    ]
    return replace(group, axes=(*group.axes, *added))


# Modules whose outputs are added to the residual stream: of ESPnet's Transformer and
# Conformer layers, and of this package's. Their weights and biases at zero, a layer
# with its norms before its branches is the identity.
ENDS = (
    *("linear_out", "w_2", "pointwise_conv2"),
    *("concat_linear", "concat_linear1", "concat_linear2"),
    *("contract", "pointwise", "rnn", "backward_rnn"),
)


def branch_ends(layer: nn.Module) -> list[str]:
    """Return the parameters of a layer, by name, that write to the residual stream."""
    return [
        name
        for name, _ in layer.named_parameters()
        if name.split(".")[-2:-1] and name.split(".")[-2] in ENDS
    ]


def residual_stacks(model: nn.Module) -> dict[str, int]:
    """Return the depths of those stacks all of whose layers add to what they read."""
    found = {}
    for stack, depth in depths(model.state_dict()).items():
        layers = list(model.get_submodule(stack))
        if len(layers) == depth and all(map(branch_ends, layers)):
            found[stack] = depth
    return found


def nearest_frequencies(size: int, kept: int) -> torch.Tensor:
    """Choose ``kept`` of ``size`` channels whose sinusoids fit a table of that width.

    A table of width d holds sine and cosine of frequency 10000^(-2i / d) in channels
    2i and 2i + 1 (Vaswani et al., NeurIPS 2017): pair i of the narrow table goes with
    the pair at the same share of the way. Both widths are even.
    """
    pairs = torch.arange(kept // 2) * size // kept
    return torch.stack([2 * pairs, 2 * pairs + 1], dim=1).flatten()
