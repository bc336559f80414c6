"""Generators of the students: what they make, and what they refuse."""

from pathlib import Path

import pytest
import torch
import yaml
from vocos.heads import ISTFTHead
from vocos.models import VocosBackbone

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError
from espnet_distill.vocoders.generators.istft import (
    FrameMajorBackbone,
    FrameMajorISTFTHead,
)
from espnet_distill.vocoders.generators.registry import build_generator

PRESETS = sorted((Path(__file__).parents[2] / "conf/vocoders").glob("*.yaml"))
MELS = MelSpec(22050, 1024, None, 256, "hann", 80, 0, 8000, None)
SMALL = {
    "harmonic_istft_generator": {"channels": 8, "hidden_channels": 16, "layers": 2},
    "istft_generator": {"channels": 8, "hidden_channels": 16, "layers": 2},
    "multiband_istft_generator": {"channels": 8, "resblock_kernel_sizes": [3, 5, 7]},
    "hifigan_generator": {"channels": 16},
}


def conf(kind, **changes):
    return {"vocoder_type": kind, "vocoder_params": SMALL[kind] | changes}


def test_every_kind_has_four_presets_that_grow():
    sizes = {}
    for path in PRESETS:
        kind, _, size = path.stem.rpartition("_")
        preset = yaml.safe_load(path.read_text())
        assert preset["tts"] == "vocoder"
        generator = build_generator(preset["tts_conf"], MELS)
        weights = sum(value.numel() for value in generator.parameters())
        sizes.setdefault(kind, {})[size] = weights
    assert len(sizes) == 4
    for found in sizes.values():
        grown = [found[size] for size in ("nano", "tiny", "small", "base")]
        assert grown == sorted(grown) and grown[0] < 0.3e6
    for kind in ("istft", "harmonic_istft"):
        assert all(weights < 1.2e6 for weights in sizes[kind].values())


@pytest.mark.parametrize("kind", SMALL)
def test_every_sample_of_a_frame_is_made_and_every_weight_has_a_gradient(kind):
    torch.manual_seed(0)
    generator = build_generator(conf(kind), MELS)
    wave = generator(torch.randn(2, 80, 9))
    assert wave.shape == (2, 1, 9 * 256)
    wave.square().sum().backward()
    for name, value in generator.named_parameters():
        if not name.startswith("log_f0."):  # gets no gradient from a waveform loss
            assert value.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    "given, message",
    [
        ({"vocoder_type": "istft_generatr"}, "near: istft_generator"),
        ({"vocoder_params": {"channel": 8}}, "no key 'channel'; near: channels"),
        ({"vocoder_parms": {}}, "no key 'vocoder_parms'; near: vocoder_params"),
        ({"vocoder_params": {"n_fft": 128}}, "multiple of hop_length"),
        ({"vocoder_params": {"channels": "wide"}}, "can be built"),
        (conf("hifigan_generator", upsample_scales=[8, 8, 4, 2]), "can be built"),
        (conf("multiband_istft_generator", hop_samples=8), "512 samples a frame"),
    ],
)
def test_invalid_generator_error_names_key(given, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_generator(conf("istft_generator") | given, MELS)
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize("n_fft", [512, 768, 1024])
def test_the_head_is_that_of_vocos(n_fft):
    torch.manual_seed(0)
    model = FrameMajorISTFTHead(8, n_fft, 256)
    reference = ISTFTHead(8, n_fft, 256, padding="same")
    reference.load_state_dict(model.state_dict())
    x = 3 * torch.randn(2, 7, 8)
    torch.testing.assert_close(model(x), reference(x), atol=1e-5, rtol=1e-4)


def test_the_backbone_is_that_of_vocos_and_so_are_its_gradients():
    torch.manual_seed(0)
    model, reference = FrameMajorBackbone(80, 8, 24, 3), VocosBackbone(80, 8, 24, 3)
    reference.load_state_dict(model.state_dict())
    x = torch.randn(2, 80, 11)
    for backbone in (model, reference):
        backbone(x).square().sum().backward()
    torch.testing.assert_close(model(x), reference(x))
    for own, other in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad)


@pytest.mark.parametrize("kind", ["istft_generator", "harmonic_istft_generator"])
def test_an_odd_size_of_the_inverse_stft_is_refused(kind):
    """Its spectra are those of an even one, too, so the training's first step failed."""
    mels = MelSpec.of_conf({"fs": 22050, "hop_length": 75})
    conf = {"vocoder_type": kind, "vocoder_params": {"n_fft": 225}}
    with pytest.raises(
        ConfigError, match="vocoder_params: .* n_fft 225 has to be even"
    ):
        build_generator(conf, mels)
