"""Registry of text-to-waveform models: a class to its graph."""

from collections.abc import Callable, Mapping, Sequence

import torch
from espnet2.gan_tts.jets import JETS
from espnet2.gan_tts.joint import JointText2Wav
from espnet2.gan_tts.vits import VITS
from torch import nn

from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds
from espnet_distill.onnx_export.text_to_wave.jets import JETSGraph
from espnet_distill.onnx_export.text_to_wave.joint import joint_graph, require_parts
from espnet_distill.onnx_export.text_to_wave.vits import VITSGraph

GRAPHS: dict[type[nn.Module], Callable[..., nn.Module]] = {
    VITS: VITSGraph,
    JETS: JETSGraph,
    JointText2Wav: joint_graph,
}


def build_graph(
    tts: nn.Module,
    symbols: PhonemeIds,
    language: int | None,
    speakers: Sequence[Mapping[str, torch.Tensor]],
    gain: float,
    where: str,
) -> nn.Module:
    """Return the graph of a text-to-waveform model, which is changed in place.

    Args:
        tts: A model of a class in GRAPHS.
        symbols: What the ids stand for.
        language: Its language id, if it has several languages.
        speakers: `sids` and `spembs` of each speaker, of a model of speaker embeddings.
        gain: Factor of the waveform, at least 1.
        where: A prefix of messages.
    """
    build = next(build for kind, build in GRAPHS.items() if isinstance(tts, kind))
    return build(tts, symbols, language, speakers, gain, where)


def require_exportable(tts: nn.Module, where) -> None:
    """Raise a ConfigError unless a text-to-waveform model can be exported."""
    if isinstance(tts, JointText2Wav):
        require_parts(tts, where)
        tts = tts.generator["text2mel"]
    if getattr(tts, "use_gst", False):
        raise ConfigError(
            f"{where}: tts_conf: use_gst: a model of style tokens takes an input that "
            "no client has; train one with speaker ids"
        )
