"""Low-rank layer: two consecutive layers."""

from torch import nn


class Factorised(nn.Sequential):
    """Low-rank factorization of a linear layer or a convolution into two layers.

    The first is pointwise and has no bias; the second has the kernel of a convolution.
    Their weights are the ``first`` and ``second`` of ``structure.low_rank.Factors``.
    """

    def __init__(self, whole: nn.Linear | nn.Conv1d, rank: int):
        """Build both with new weights.

        Args:
            whole: The layer that they replace.
            rank: Number of channels between them.
        """
        has_bias = whole.bias is not None
        if isinstance(whole, nn.Linear):
            layers = (
                nn.Linear(whole.in_features, rank, bias=False),
                nn.Linear(rank, whole.out_features, bias=has_bias),
            )
        else:
            layers = (
                nn.Conv1d(whole.in_channels, rank, 1, bias=False),
                nn.Conv1d(
                    rank,
                    whole.out_channels,
                    whole.kernel_size,
                    stride=whole.stride,
                    padding=whole.padding,
                    dilation=whole.dilation,
                    bias=has_bias,
                ),
            )
        super().__init__(*layers)

    @staticmethod
    def stands_for(module: nn.Module) -> bool:
        """Return True if a module can be factorized."""
        if type(module) is nn.Linear:
            return True
        return (
            type(module) is nn.Conv1d
            and module.groups == 1
            and module.padding_mode == "zeros"
        )
