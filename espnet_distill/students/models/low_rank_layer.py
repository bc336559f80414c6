"""Low-rank layer: two consecutive layers."""

from torch import nn


class LowRankLayer(nn.Sequential):
    """Low-rank factorization of a linear layer or a convolution into two layers.

    The first is pointwise and has no bias; the second has the kernel of a convolution.
    Their weights are the ``first`` and ``second`` of ``structure.low_rank.Factors``.
    """

    def __init__(self, layer: nn.Linear | nn.Conv1d, rank: int):
        """Build both with new weights.

        Args:
            layer: The layer that they replace.
            rank: Number of channels between them.
        """
        has_bias = layer.bias is not None
        if isinstance(layer, nn.Linear):
            parts = (
                nn.Linear(layer.in_features, rank, bias=False),
                nn.Linear(rank, layer.out_features, bias=has_bias),
            )
        else:
            parts = (
                nn.Conv1d(layer.in_channels, rank, 1, bias=False),
                nn.Conv1d(
                    rank,
                    layer.out_channels,
                    layer.kernel_size,
                    stride=layer.stride,
                    padding=layer.padding,
                    dilation=layer.dilation,
                    bias=has_bias,
                ),
            )
        super().__init__(*parts)

    @staticmethod
    def can_factorize(module: nn.Module) -> bool:
        """Return True if a module can be factorized.

        A subclass of a convolution can if it computes what its base class does, and
        if its weight is no function of other parameters, as with weight normalization.
        """
        if type(module) is nn.Linear:
            return True
        return (
            type(module).forward is nn.Conv1d.forward
            and isinstance(module.weight, nn.Parameter)
            and module.groups == 1
            and module.padding_mode == "zeros"
        )
