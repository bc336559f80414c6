"""Students with sizes of their own in every layer, which no stock configuration says.

``sizes`` names modules and the first lengths of their weights, ``heads`` attentions and
the number of their heads, ``ranks`` layers that are two of so low a rank; all else is as
in the class that a sized one is made of.
"""

import difflib
from collections.abc import Mapping, Sequence

from espnet2.legacy.nets.pytorch_backend.transformer.attention import (
    MultiHeadedAttention,
)
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.transformer import Transformer
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.students.models.fastspeech2_convnext import FastSpeech2ConvNeXt
from espnet_distill.students.models.fastspeech2_rnn import FastSpeech2RNN
from espnet_distill.students.models.fastspeech2_sepconv import FastSpeech2SepConv
from espnet_distill.students.models.low_rank_layer import Factorised

SUFFIX = "_sized"


KEYS = ("sizes", "heads", "ranks")


class Sized:
    """A model of the class behind it, with some modules of other sizes."""

    def __init__(
        self,
        idim: int,
        odim: int,
        sizes: Mapping[str, Sequence[int]] | None = None,
        heads: Mapping[str, int] | None = None,
        ranks: Mapping[str, int] | None = None,
        **conf,
    ):
        """Initialise.

        Args:
            idim: Number of tokens.
            odim: Mel bands.
            sizes: Module → the first lengths of its weight: [outputs, inputs] of a
                linear layer or a convolution, [channels] of a normalisation.
            heads: Attention → its heads; how wide they are follows from ``linear_q``.
            ranks: Linear layer or convolution → the channels between the two layers
                that it becomes.
            conf: Keys of the class that it is made of.

        Raises:
            ConfigError: A name that is no module, or none of these kinds.
        """
        super().__init__(idim, odim, **conf)
        resize(self, sizes or {}, heads or {})
        factorise_layers(self, ranks or {})


class FastSpeech2Sized(Sized, FastSpeech2):
    """``tts: fastspeech2_sized``."""


class FastSpeechSized(Sized, FastSpeech):
    """``tts: fastspeech_sized``."""


class TransformerSized(Sized, Transformer):
    """``tts: transformer_sized``."""


class FastSpeech2RNNSized(Sized, FastSpeech2RNN):
    """``tts: fastspeech2_rnn_sized``."""


class FastSpeech2SepConvSized(Sized, FastSpeech2SepConv):
    """``tts: fastspeech2_sepconv_sized``."""


class FastSpeech2ConvNeXtSized(Sized, FastSpeech2ConvNeXt):
    """``tts: fastspeech2_convnext_sized``."""


def resize(
    model: nn.Module, sizes: Mapping[str, Sequence[int]], heads: Mapping[str, int]
) -> None:
    """Give modules of a model other sizes, in place and with new weights.

    Args:
        model: The model.
        sizes: As :class:`Sized` takes them.
        heads: As :class:`Sized` takes them.

    Raises:
        ConfigError: As :class:`Sized`.
    """
    for path, lengths in sizes.items():
        _resize(_module(model, path, "sizes"), path, lengths)
    for path in heads:
        if not isinstance(_module(model, path, "heads"), MultiHeadedAttention):
            raise ConfigError(f"tts_conf.heads: {path} is no attention")
    for path, module in model.named_modules():
        if isinstance(module, MultiHeadedAttention):
            _divide(module, path, heads.get(path, module.h))


def factorise_layers(model: nn.Module, ranks: Mapping[str, int]) -> None:
    """Put two layers of low rank in the place of one, in place and with new weights.

    Raises:
        ConfigError: As :class:`Sized`.
    """
    for path, rank in ranks.items():
        whole = _module(model, path, "ranks")
        if not Factorised.stands_for(whole) or not isinstance(rank, int) or rank < 1:
            raise ConfigError(
                f"tts_conf.ranks: {path}: {rank}: only a linear layer, or a convolution "
                "that is not grouped, has a rank, of 1 or more"
            )
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, Factorised(whole, rank))


def _module(model: nn.Module, path: str, key: str) -> nn.Module:
    modules = dict(model.named_modules())
    if path not in modules:
        near = difflib.get_close_matches(path, modules, n=3, cutoff=0.3)
        raise ConfigError(
            f"tts_conf.{key}: no module {path!r}; near: {', '.join(near) or 'none'}"
        )
    return modules[path]


def _resize(module: nn.Module, path: str, lengths: Sequence[int]) -> None:
    wanted = {nn.Linear: 2, nn.Conv1d: 2, nn.BatchNorm1d: 1, nn.LayerNorm: 1}
    kind = next((kind for kind in wanted if isinstance(module, kind)), None)
    is_list = isinstance(lengths, (list, tuple)) and min(lengths, default=0) > 0
    if kind is None or not is_list or len(lengths) != wanted[kind]:
        raise ConfigError(
            f"tts_conf.sizes: {path}: {lengths} is no [outputs, inputs] of a linear "
            "layer or a convolution, nor [channels] of a normalisation"
        )
    out, *inputs = lengths
    if kind is nn.Linear:
        module.out_features, module.in_features = lengths
    elif kind is nn.Conv1d:
        module.out_channels = out
        module.groups = out if module.groups > 1 else 1
        module.in_channels = inputs[0] * module.groups
    elif kind is nn.BatchNorm1d:
        module.num_features = out
    else:
        module.normalized_shape = (out,)
    for name, tensor in list(module.named_parameters()):
        length = lengths if name == "weight" else lengths[:1]
        shape = (*length, *tensor.shape[len(length) :])
        setattr(module, name, nn.Parameter(tensor.new_empty(shape)))
    for name, tensor in list(module.named_buffers()):
        if tensor.dim():
            module.register_buffer(name, tensor.new_empty(out))
    module.reset_parameters()


def _divide(attention: MultiHeadedAttention, path: str, heads: int) -> None:
    """Let an attention have so many heads, as wide as its queries allow."""
    channels = attention.linear_q.out_features
    if heads < 1 or channels % heads:
        raise ConfigError(
            f"tts_conf.heads: {path}: {channels} channels of linear_q are not {heads} "
            "heads of one width"
        )
    attention.h, attention.d_k = heads, channels // heads
    for name in ("pos_bias_u", "pos_bias_v"):
        bias = getattr(attention, name, None)
        if bias is not None and bias.shape != (heads, attention.d_k):
            bias = nn.Parameter(bias.new_empty(heads, attention.d_k))
            nn.init.xavier_uniform_(bias)
            setattr(attention, name, bias)


def require_whole_layers(tts_conf: Mapping, where) -> None:
    """Raise a ConfigError for a ``tts_conf`` with layers of low rank."""
    if tts_conf.get("ranks"):
        raise ConfigError(
            f"{where}: tts_conf.ranks: layers of low rank lose no units; prune units "
            "first, and ranks after that"
        )


def attentions(model: nn.Module) -> dict[str, MultiHeadedAttention]:
    """Return a model's attentions by name, but for those of style tokens."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, MultiHeadedAttention) and not name.startswith("gst.")
    }
