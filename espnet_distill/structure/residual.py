"""Residual streams: their readers, their branches and their positional encodings."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from espnet_distill.structure.groups import Axis, Group
from espnet_distill.structure.layer_stacks import depths

QUERIES, KEYS = "linear_q.weight", "linear_k.weight"


POSITIONS, OUTPUTS = "linear_pos.weight", "linear_out.weight"


CONVOLUTION = "pointwise_conv1.weight"


WRITERS = (".contract.weight", ".pointwise.weight")


def is_stream(group: Group) -> bool:
    """Return True if a group is a residual stream.

    Its readers are attention, or both the token embedding and the mel projection; or
    the layers without attention of this package's models write to it.
    """
    spans_model = _reads(group, "embed.weight") and _reads(group, "feat_out.weight")
    return has_positions(group) or spans_model or _is_written_by_convolutions(group)


def has_positions(group: Group) -> bool:
    """Return True if a positional encoding is added to a group's units.

    Such a group is the input of both the queries and the keys of one attention layer.
    That of style tokens has separate inputs.
    """
    return bool(attentions_of(group))


def attentions_of(group: Group) -> list[str]:
    """Return the attention layers that read queries and keys from a group's units."""
    return [
        name.removesuffix(".")
        for name in _attentions(group, QUERIES)
        if (f"{name}{KEYS}", 1) in group
    ]


def is_inside(group: Group, streams: Sequence[Group]) -> bool:
    """Return True if stock ESPnet ties the size of a group to that of a stream.

    Such units are the channels of attention that reads a stream, and those of a
    conformer's convolutions.
    """
    return any(
        axis.parameter.endswith((QUERIES, CONVOLUTION))
        and (axis.parameter, 1) in stream
        for axis in group.axes
        if axis.dim == 0
        for stream in streams
    )


def is_style(group: Group, streams: Sequence[Group]) -> bool:
    """Return True if a group's units are those of style tokens.

    They are the channels or the keys of an attention layer that adds to a stream and
    reads its queries from no stream.
    """
    names = {*_attentions(group, OUTPUTS), *_attentions(group, KEYS)}
    return any(
        any((f"{name}{OUTPUTS}", 0) in stream for stream in streams)
        and not any((f"{name}{QUERIES}", 1) in stream for stream in streams)
        for name in names
    )


def is_attention(group: Group) -> bool:
    """Return True if a group's units are only the channels of one attention layer."""
    return any(
        all(axis.parameter.startswith(name) for axis in group.axes)
        for name in _attentions(group, QUERIES, dim=0)
    )


def _is_written_by_convolutions(group: Group) -> bool:
    return any(a.dim == 0 and a.parameter.endswith(WRITERS) for a in group.axes)


def _reads(group: Group, name: str) -> bool:
    return any(a.dim == 1 and a.parameter.endswith(name) for a in group.axes)


def _attentions(group: Group, weight: str, dim: int = 1) -> Iterator[str]:
    """Yield the prefixes of the attention layers whose weight has a group's units."""
    for axis in group.axes:
        if axis.dim == dim and axis.parameter.endswith(weight):
            yield axis.parameter.removesuffix(weight)


def with_position_readers(
    groups: Sequence[Group], names: Container[str]
) -> list[Group]:
    """Add to residual streams the weights that read their positional encoding.

    They are not in the autograd graph, since the encoding is a constant. It is as wide
    as the input of the same attention's queries.

    Args:
        groups: Groups of a model.
        names: Names of the model's parameters.
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


# Modules whose outputs are added to the residual stream: those of ESPnet's Transformer
# and Conformer layers, and of this package's. If their weights and biases are zero, a
# pre-norm layer without a normalization of its output is the identity.
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
    """Return the depths of the stacks whose layers are all residual."""
    residual = {}
    for stack, depth in depths(model.state_dict()).items():
        layers = list(model.get_submodule(stack))
        if len(layers) == depth and all(map(branch_ends, layers)):
            residual[stack] = depth
    return residual


def nearest_frequencies(size: int, kept: int) -> torch.Tensor:
    """Choose ``kept`` of ``size`` channels whose sinusoids match a narrower encoding.

    An encoding of width d has sine and cosine of frequency 10000^(-2i / d) in channels
    2i and 2i + 1 (Vaswani et al., NeurIPS 2017). Sine and cosine i of the narrow one
    are matched to those of the wide one at the same fraction of its width. Both widths
    are even.
    """
    pairs = torch.arange(kept // 2) * size // kept
    return torch.stack([2 * pairs, 2 * pairs + 1], dim=1).flatten()
