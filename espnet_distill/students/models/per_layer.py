"""Student models with per-layer sizes, which no stock configuration expresses.

Each class adds three keys to those of its base class: ``sizes`` for the lengths of
weights, ``heads`` for the number of attention heads, ``ranks`` for low-rank layers.
"""

from collections.abc import Mapping, Sequence

from espnet2.legacy.nets.pytorch_backend.transformer.attention import (
    MultiHeadedAttention,
)
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.transformer import Transformer
from torch import nn

from espnet_distill.errors import ConfigError, near_names
from espnet_distill.students.models.fastspeech2_convnext import FastSpeech2ConvNeXt
from espnet_distill.students.models.fastspeech2_rnn import FastSpeech2RNN
from espnet_distill.students.models.fastspeech2_sepconv import FastSpeech2SepConv
from espnet_distill.students.models.low_rank_layer import LowRankLayer

SUFFIX = "_sized"


KEYS = ("sizes", "heads", "ranks")


class Sized:
    """Mixin that resizes modules of a model of its base class."""

    def __init__(
        self,
        idim: int,
        odim: int,
        sizes: Mapping[str, Sequence[int]] | None = None,
        heads: Mapping[str, int] | None = None,
        ranks: Mapping[str, int] | None = None,
        **conf,
    ):
        """Build the model.

        Args:
            idim: Number of tokens.
            odim: Mel bands.
            sizes: Module → first lengths of its weight: [outputs, inputs] of a linear
                layer or a convolution, [channels] of a normalization.
            heads: Attention layer → number of heads; their width follows from the
                outputs of ``linear_q``.
            ranks: Linear layer or convolution → rank of its factorization.
            conf: Keys of the base class.

        Raises:
            ConfigError: No module of that name, or a module of another kind.
        """
        super().__init__(idim, odim, **conf)
        resize(self, sizes or {}, heads or {})
        factorize_layers(self, ranks or {})


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
    """Resize modules of a model, in place and with new weights.

    Args:
        model: The model.
        sizes: See :class:`Sized`.
        heads: See :class:`Sized`.

    Raises:
        ConfigError: See :class:`Sized`.
    """
    for path, lengths in sizes.items():
        _resize(_module(model, path, "sizes"), path, lengths)
    for path in heads:
        if not isinstance(_module(model, path, "heads"), MultiHeadedAttention):
            raise ConfigError(f"tts_conf.heads: {path} is no attention")
    for path, module in model.named_modules():
        if isinstance(module, MultiHeadedAttention):
            _set_heads(module, path, heads.get(path, module.h))


def factorize_layers(model: nn.Module, ranks: Mapping[str, int]) -> None:
    """Replace layers by low-rank factorizations, in place and with new weights.

    Raises:
        ConfigError: See :class:`Sized`.
    """
    for path, rank in ranks.items():
        layer = _module(model, path, "ranks")
        if (
            not LowRankLayer.can_factorize(layer)
            or not isinstance(rank, int)
            or rank < 1
        ):
            raise ConfigError(
                f"tts_conf.ranks: {path}: {rank}: only a linear layer, or a "
                "convolution that is not grouped, has a rank, of 1 or more"
            )
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, LowRankLayer(layer, rank))


def _module(model: nn.Module, path: str, key: str) -> nn.Module:
    """Return the module of a path, or raise a ConfigError that names near ones."""
    modules = dict(model.named_modules())
    if path not in modules:
        near = near_names(path, modules)
        raise ConfigError(
            f"tts_conf.{key}: no module {path!r}; near: {', '.join(near) or 'none'}"
        )
    return modules[path]


NUM_LENGTHS = {nn.Linear: 2, nn.Conv1d: 2, nn.BatchNorm1d: 1, nn.LayerNorm: 1}


def has_sizes(module: nn.Module) -> bool:
    """Return True for a module that ``sizes`` can resize."""
    return isinstance(module, tuple(NUM_LENGTHS))


def _resize(module: nn.Module, path: str, lengths: Sequence[int]) -> None:
    kind = next((kind for kind in NUM_LENGTHS if isinstance(module, kind)), None)
    is_list = isinstance(lengths, (list, tuple)) and min(lengths, default=0) > 0
    if kind is None or not is_list or len(lengths) != NUM_LENGTHS[kind]:
        raise ConfigError(
            f"tts_conf.sizes: {path}: {lengths} is no [outputs, inputs] of a linear "
            "layer or a convolution, nor [channels] of a normalization"
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


def _set_heads(attention: MultiHeadedAttention, path: str, heads: int) -> None:
    """Set the number of heads of an attention layer; the queries set their width."""
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


def require_no_ranks(tts_conf: Mapping, where) -> None:
    """Raise a ConfigError for a ``tts_conf`` with low-rank layers."""
    if tts_conf.get("ranks"):
        raise ConfigError(
            f"{where}: tts_conf.ranks: units of low-rank layers cannot be pruned; "
            "prune units before ranks"
        )


def attentions(model: nn.Module) -> dict[str, MultiHeadedAttention]:
    """Return a model's attention layers by name, without those of style tokens."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, MultiHeadedAttention) and not name.startswith("gst.")
    }
