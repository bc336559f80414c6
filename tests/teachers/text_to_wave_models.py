"""Text-to-waveform models of ESPnet: tiny ones, and those of its recipes."""

import copy

import torch
import yaml

from ..configurations import TEXT2WAV, Configuration, find_configurations, recipe_tree
from ..conftest import (
    FASTSPEECH2,
    HOP,
    PREDICTORS,
    RATE,
    STFT,
    make_experiment,
    model_config,
)

SCALES = [8, HOP // 8]
DISCRIMINATOR = {  # not used in synthesis
    "discriminator_type": "hifigan_period_discriminator",
    "discriminator_params": {"channels": 2, "max_downsample_channels": 4},
}
VITS_GENERATOR = {
    "hidden_channels": 8,
    "segment_size": 4,
    "text_encoder_blocks": 1,
    "decoder_channels": 8,
    "decoder_upsample_scales": SCALES,
    "decoder_upsample_kernel_sizes": [2 * scale for scale in SCALES],
    "decoder_resblock_kernel_sizes": [3],
    "decoder_resblock_dilations": [[1, 3]],
    "posterior_encoder_layers": 1,
    "flow_flows": 2,
    "flow_layers": 2,
    "stochastic_duration_predictor_dds_conv_layers": 1,
}
SEVERAL = {"global_channels": 4, "spks": 3, "langs": 2, "spk_embed_dim": 5}
JETS_GENERATOR = {
    **{key: value for key, value in FASTSPEECH2.items() if "postnet" not in key},
    **PREDICTORS,
    "segment_size": 4,
    "generator_channels": 8,
    "generator_upsample_scales": SCALES,
    "generator_upsample_kernel_sizes": [2 * scale for scale in SCALES],
    "generator_resblock_kernel_sizes": [3],
    "generator_resblock_dilations": [[1, 3]],
}


def vits(**generator):
    """Return the configuration of a tiny VITS, for `make_experiment`."""
    conf = {"sampling_rate": RATE, "generator_params": VITS_GENERATOR | generator}
    return {
        "tts": "vits",
        "tts_conf": conf | DISCRIMINATOR,
        "feats_extract": "linear_spectrogram",
        "feats_extract_conf": {key: STFT[key] for key in ("n_fft", "hop_length")},
    }


def jets(**generator):
    """Return the configuration of a tiny JETS."""
    conf = {"sampling_rate": RATE, "generator_params": JETS_GENERATOR | generator}
    return {"tts": "jets", "tts_conf": conf | DISCRIMINATOR}


def joint(kind="fastspeech2", params=FASTSPEECH2, bands=1, **conf):
    """Return the configuration of a tiny JointText2Wav.

    Args:
        kind, params: Class and parameters of its text-to-mel part.
        bands: Bands of its vocoder.
        conf: More of ``tts_conf``.
    """
    scales = [8, HOP // (8 * bands)]
    vocoder = {
        "channels": 8,
        "out_channels": bands,
        "upsample_scales": scales,
        "upsample_kernel_sizes": [2 * scale for scale in scales],
        "resblock_kernel_sizes": [3],
        "resblock_dilations": [[1, 3]],
    }
    conf = {
        "sampling_rate": RATE,
        "text2mel_type": kind,
        "text2mel_params": params,
        "vocoder_params": vocoder,
        "use_pqmf": bands > 1,
        **conf,
    }
    return {"tts": "joint_text2wav", "tts_conf": conf | DISCRIMINATOR}


def make_slow(folder, **config):
    """Write an experiment with random weights that predicts some 8 frames a token."""
    path = make_experiment(folder, **config) / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    for name, tensor in state.items():
        if name.endswith("duration_predictor.flows.0.m"):
            tensor -= 2
        elif name.endswith("duration_predictor.linear.bias"):
            tensor += 2
    torch.save(state, path)
    return folder


def configurations() -> list[Configuration]:
    """Return the text-to-waveform models of ESPnet's recipes, if they are here."""
    tree = recipe_tree()
    found = find_configurations(tree) if tree else []
    return [one for one in found if one.tts in TEXT2WAV]


def build(one: Configuration):
    """Build the ESPnetTTSModel of a recipe's configuration with random weights."""
    from espnet2.tasks.tts import TTSTask

    recipe = yaml.safe_load((recipe_tree() / "egs2" / one.files[0]).read_text())
    keys = ("feats_extract", "feats_extract_conf", "pitch_extract", "energy_extract")
    features = {key: recipe[key] for key in keys if key in recipe}
    conf = model_config(one.tts, copy.deepcopy(one.conf), **features)
    args = TTSTask.get_parser().parse_args([])
    vars(args).update(conf | {"pitch_extract_conf": {}, "energy_extract_conf": {}})
    torch.manual_seed(0)
    return TTSTask.build_model(args).eval()
