"""A VITS without what only training needs, whose layers can be replaced."""

import inspect
from collections.abc import Mapping

from espnet2.gan_tts.vits import VITS

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_to_wave import TRAINING_ONLY
from espnet_distill.structure.weight_norm import fold_weight_norm
from espnet_distill.utils.files import read_text, read_yaml

RECORD = "distill.yaml"
BESIDE = ("decode.yaml", "voice.onnx.json", "spk2sid", "lang2lid")
# Keys of tts_conf that a model keeps besides those of its decoder.
KEPT = (
    *("sampling_rate", "generator_params", "text_encoder_type"),
    *("text_encoder_params", "padding", "ranks"),
)
OF_DECODER = ("decoder_type", "decoder_params")


def synthesis_only(vits: Experiment) -> Experiment:
    """Return a VITS as `vits_synthesizer`, in memory.

    The weight normalization of its flow is folded into the weights.

    Args:
        vits: An experiment of `vits` or `vits_synthesizer`.
    """
    conf = {
        key: value
        for key, value in vits.config["tts_conf"].items()
        if key in (*KEPT, *OF_DECODER)
    }
    given = conf.get("generator_params") or _default_params()
    conf["generator_params"] = dict(given) | {"use_weight_norm_in_flow": False}
    tts = vits.build().tts
    fold_weight_norm(tts.generator.flow)
    return vits.with_model(
        "vits_synthesizer", conf, synthesizing(tts.state_dict()), training={}
    )


def synthesizing(state: Mapping, *others: str) -> dict:
    """Return the weights that synthesis needs.

    Args:
        state: The state dict of a text-to-waveform model.
        others: Prefixes of more weights to leave out.
    """
    left_out = (*TRAINING_ONLY, *others)
    return {
        name: value for name, value in state.items() if not name.startswith(left_out)
    }


def files_beside(teacher: Experiment) -> tuple[dict[str, str], dict]:
    """Return the text files beside a model that apply to one made of it.

    Returns:
        Texts by name, and what its record keeps: where a Piper voice comes from.
    """
    folder = teacher.config_file.parent
    files = {
        name: read_text(folder / name) for name in BESIDE if (folder / name).is_file()
    }
    record = read_yaml(folder / RECORD) if (folder / RECORD).is_file() else {}
    return files, {key: record[key] for key in ("piper",) if key in record}


def _default_params() -> dict:
    return inspect.signature(VITS).parameters["generator_params"].default
