"""A layer of low rank: two thin ones in a row."""

from torch import nn


class Factorised(nn.Sequential):
    """Two layers that stand for a linear layer or a convolution.

    The first has no bias and is pointwise; the taps of a convolution are the second's.
    Their weights are those of `structure.low_rank.Factors`.
    """

    def __init__(self, whole: nn.Linear | nn.Conv1d, rank: int):
        """Build both with new weights.

        Args:
            whole: The layer that they stand for.
            rank: Channels between them.
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
        """Tell whether a module is one that two can stand for."""
        if type(module) is nn.Linear:
            return True
        return (
            type(module) is nn.Conv1d
            and module.groups == 1
            and module.padding_mode == "zeros"
        )
