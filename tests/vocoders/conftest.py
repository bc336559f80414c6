"""A tiny HiFi-GAN generator, saved as either project saves it."""

import json
import re

import pytest
import torch
import yaml
from espnet2.gan_tts.hifigan.hifigan import HiFiGANGenerator

FEATS = dict(
    fs=16000,
    n_fft=64,
    win_length=48,
    hop_length=16,
    n_mels=8,
    fmin=50,
    fmax=7000,
    log_base=None,
)
NETWORK = dict(
    in_channels=8,
    channels=16,
    upsample_scales=[4, 4],
    upsample_kernel_sizes=[8, 8],
    resblock_kernel_sizes=[3, 5],
    resblock_dilations=[[1, 3], [1, 2]],
)


class SavedVocoder:
    """A checkpoint and its configuration, which a test may spoil."""

    def __init__(self, path, config_path, generator, config, checkpoint):
        self.path = path
        self.config_path = config_path
        self.generator = generator
        self.config = config
        self.checkpoint = checkpoint
        self.save()

    def save(self):
        dump = json.dumps if self.config_path.suffix == ".json" else yaml.safe_dump
        self.config_path.write_text(dump(self.config))
        torch.save(self.checkpoint, self.path)

    def expected(self, feats):
        self.generator.remove_weight_norm()
        with torch.no_grad():
            return self.generator.inference(feats).view(-1)


def make_generator(**conf):
    torch.manual_seed(0)
    generator = HiFiGANGenerator(**NETWORK, **conf)
    # default initialization yields near-zero output
    for name, value in generator.named_parameters():
        if name.endswith("weight_g"):
            torch.nn.init.uniform_(value, 1, 2)
    return generator


@pytest.fixture
def original(request, tmp_path):
    resblock = getattr(request, "param", "1")
    generator = make_generator(use_additional_convs=resblock == "1")
    state = {}
    for key, value in generator.state_dict().items():
        key = re.sub(r"^input_conv", "conv_pre", key)
        key = re.sub(r"^upsamples\.(\d+)\.1", r"ups.\1", key)
        key = re.sub(r"^blocks\.(\d+)\.(\w+)\.(\d+)\.1", r"resblocks.\1.\2.\3", key)
        key = re.sub(r"^output_conv\.1", "conv_post", key)
        state[key.replace("convs1", "convs") if resblock == "2" else key] = value
    config = dict(
        resblock=resblock,
        upsample_rates=NETWORK["upsample_scales"],
        upsample_kernel_sizes=NETWORK["upsample_kernel_sizes"],
        upsample_initial_channel=NETWORK["channels"],
        resblock_kernel_sizes=NETWORK["resblock_kernel_sizes"],
        resblock_dilation_sizes=NETWORK["resblock_dilations"],
        num_mels=FEATS["n_mels"],
        n_fft=FEATS["n_fft"],
        hop_size=FEATS["hop_length"],
        win_size=FEATS["win_length"],
        sampling_rate=FEATS["fs"],
        fmin=FEATS["fmin"],
        fmax=FEATS["fmax"],
    )
    path = tmp_path / "g_00000001"
    checkpoint = {"generator": state}
    return SavedVocoder(path, tmp_path / "config.json", generator, config, checkpoint)


@pytest.fixture
def parallel_wavegan(tmp_path):
    generator = make_generator()
    config = dict(
        sampling_rate=FEATS["fs"],
        fft_size=FEATS["n_fft"],
        hop_size=FEATS["hop_length"],
        win_length=FEATS["win_length"],
        window="hann",
        num_mels=FEATS["n_mels"],
        fmin=FEATS["fmin"],
        fmax=FEATS["fmax"],
        log_base=FEATS["log_base"],
        format="npy",
        generator_type="HiFiGANGenerator",
        generator_params={**NETWORK, "out_channels": 1, "use_causal_conv": False},
    )
    checkpoint = {"model": {"generator": generator.state_dict()}, "steps": 1}
    path = tmp_path / "checkpoint-1steps.pkl"
    return SavedVocoder(path, tmp_path / "config.yml", generator, config, checkpoint)


@pytest.fixture(params=["original", "parallel_wavegan"])
def vocoder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def feats_conf():
    return dict(FEATS)


@pytest.fixture
def feats():
    """Natural-log mels (20, n_mels) within what both formats know."""
    return torch.randn(20, FEATS["n_mels"], generator=torch.Generator().manual_seed(1))
