"""Residual branches of layers: what of a layer is added to what it reads."""

from torch import nn

from espnet_distill.structure.depth import depths

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
