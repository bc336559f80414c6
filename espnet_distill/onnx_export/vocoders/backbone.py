"""Inference module of Vocos's backbone."""

import torch
from torch import nn
from torch.nn import functional

from espnet_distill.onnx_export.linear import linear
from espnet_distill.vocoders.generators.istft import FrameMajorBackbone


class Backbone(nn.Module):
    """FrameMajorBackbone, with the scales of its blocks in their last layers."""

    def __init__(self, backbone: FrameMajorBackbone):
        super().__init__()
        self.embed, self.norm = backbone.embed, backbone.norm
        self.blocks = nn.ModuleList(map(Block, backbone.convnext))
        self.final_norm = backbone.final_layer_norm

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Turn mels (1, n_mels, T) into representations (T, dim).

        Matrices, not batches of one: ONNX adds the bias in their product.
        """
        x = self.norm(self.embed(mels)[0].t())
        for block in self.blocks:
            x = block(x)
        return self.final_norm(x)


class Block(nn.Module):
    """A ConvNeXt block."""

    def __init__(self, block: nn.Module):
        super().__init__()
        conv, last = block.dwconv, block.pwconv2
        self.norm, self.expand, self.act = block.norm, block.pwconv1, block.act
        self.contract = linear(
            last.weight * block.gamma[:, None], last.bias * block.gamma
        )
        self.padding, self.groups = (0, *conv.padding), conv.groups
        self.weight = nn.Parameter(conv.weight.unsqueeze(2))
        self.bias = conv.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (T, dim) to the same shape."""
        image = x.t().view(1, self.groups, 1, -1)
        y = functional.conv2d(
            image, self.weight, self.bias, padding=self.padding, groups=self.groups
        )
        y = self.norm(y.view(self.groups, -1).t())
        return x + self.contract(self.act(self.expand(y)))
