"""HiFi-GAN checkpoints: the right numbers from whole files, ConfigError otherwise."""

import logging
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

from espnet_distill.errors import ConfigError
from espnet_distill.vocoders import build_vocoder, check_vocoder


@pytest.fixture
def model(feats_conf):
    return SimpleNamespace(feats_extract=LogMelFbank(**feats_conf))


def run_original(state, config, mel):
    """Follow the equations of the HiFi-GAN paper on a state under its own names."""

    def conv(name, x, dilation=1):
        v, g = state[f"{name}.weight_v"], state[f"{name}.weight_g"]
        weight = g * v / v.norm(dim=(1, 2), keepdim=True)
        padding = (weight.shape[-1] - 1) // 2 * dilation
        bias = state[f"{name}.bias"]
        return F.conv1d(x, weight, bias, padding=padding, dilation=dilation)

    def upsample(name, x, rate):
        v, g = state[f"{name}.weight_v"], state[f"{name}.weight_g"]
        weight = g * v / v.norm(dim=(1, 2), keepdim=True)
        padding = (weight.shape[-1] - rate) // 2
        bias = state[f"{name}.bias"]
        return F.conv_transpose1d(x, weight, bias, stride=rate, padding=padding)

    def resblock(name, x, dilations):
        for i, dilation in enumerate(dilations):
            if config["resblock"] == "1":
                y = conv(f"{name}.convs1.{i}", F.leaky_relu(x, 0.1), dilation)
                y = conv(f"{name}.convs2.{i}", F.leaky_relu(y, 0.1))
            else:
                y = conv(f"{name}.convs.{i}", F.leaky_relu(x, 0.1), dilation)
            x = x + y
        return x

    x = conv("conv_pre", mel.T[None])
    dilations = config["resblock_dilation_sizes"]
    for i, rate in enumerate(config["upsample_rates"]):
        x = upsample(f"ups.{i}", F.leaky_relu(x, 0.1), rate)
        first = i * len(dilations)
        blocks = (
            resblock(f"resblocks.{first + j}", x, d) for j, d in enumerate(dilations)
        )
        x = sum(blocks) / len(dilations)
    return torch.tanh(conv("conv_post", F.leaky_relu(x, 0.01))).view(-1)


@pytest.mark.parametrize("original", ["1", "2"], indirect=True)
def test_original_checkpoint_equals_the_reference_implementation(
    original, model, feats
):
    wav = build_vocoder(original.path, model=model)(feats)
    expected = run_original(original.checkpoint["generator"], original.config, feats)
    assert expected.std() > 0.1
    torch.testing.assert_close(wav, expected, rtol=1e-4, atol=1e-5)


def test_output_is_espnets_bit_for_bit(vocoder, model, feats):
    built = build_vocoder(vocoder.path, None, model, "cpu")
    wav = built(feats)
    assert torch.equal(wav, vocoder.expected(feats))
    assert wav.shape == (20 * 16,)
    assert built.fs == 16000
    assert not any("weight_g" in key for key in built.state_dict())


def test_double_precision(vocoder, model, feats):
    built = build_vocoder(vocoder.path, model=model)
    single = built(feats)
    double = built.to(torch.float64)(feats.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-4, atol=1e-5)


def test_checkpoint_without_weight_norm(original, model, feats):
    expected = original.expected(feats)
    state = original.checkpoint["generator"]
    for key in [key for key in state if key.endswith("weight_g")]:
        g, v = state.pop(key), state.pop(key[:-1] + "v")
        state[key[:-2]] = g * v / v.norm(dim=(1, 2), keepdim=True)
    original.save()
    wav = build_vocoder(original.path, model=model)(feats)
    torch.testing.assert_close(wav, expected, rtol=1e-4, atol=1e-5)


def test_original_raises_silence_to_its_floor(original, model, feats):
    silence = torch.full_like(feats, -23.0)
    wav = build_vocoder(original.path, model=model)(silence)
    assert torch.equal(wav, original.expected(torch.full_like(feats, math.log(1e-5))))


def parametrized(key):
    """What PyTorch's parametrized weight normalization calls a tensor."""
    key = key.replace(".weight_g", ".parametrizations.weight.original0")
    return key.replace(".weight_v", ".parametrizations.weight.original1")


def state_of(vocoder):
    return vocoder.checkpoint.get("model", vocoder.checkpoint)["generator"]


@pytest.mark.parametrize(
    "rename",
    [parametrized, "module.{}".format, lambda key: f"module.{parametrized(key)}"],
    ids=["parametrized", "data parallel", "both"],
)
def test_names_that_newer_pytorch_and_dataparallel_give(vocoder, model, feats, rename):
    state = state_of(vocoder)
    for key in list(state):
        state[rename(key)] = state.pop(key)
    vocoder.save()
    wav = build_vocoder(vocoder.path, model=model)(feats)
    assert torch.equal(wav, vocoder.expected(feats))


def test_these_are_the_names_of_this_pytorch():
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(2, 3, 1))
    plain = torch.nn.Conv1d(2, 3, 1)
    old = torch.nn.utils.weight_norm(plain).state_dict()
    names = {parametrized(f"conv.{key}") for key in old}
    assert names == {f"conv.{key}" for key in layer.state_dict()}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite(vocoder, feats_conf, value):
    state = state_of(vocoder)
    key = next(key for key in state if key.endswith("bias"))
    state[key][0] = value
    vocoder.save()
    message = refusal(vocoder, feats_conf)
    assert message.startswith(f"vocoder {vocoder.path}: NaN or infinity in {key}; ")


@pytest.mark.parametrize(
    "mean, scale, words",
    [
        (math.nan, 1.0, "NaN or infinity in mean"),
        (0.0, math.inf, "NaN or infinity in scale"),
        (0.0, 0.0, "a scale is not above 0"),
    ],
)
def test_stats_that_normalize_nothing(parallel_wavegan, feats_conf, mean, scale, words):
    stats = np.stack([np.full(8, mean), np.full(8, scale)])
    np.save(parallel_wavegan.path.with_name("stats.npy"), stats)
    assert words in refusal(parallel_wavegan, feats_conf)


@pytest.mark.parametrize("rate", [None, 16000])
def test_mels_of_the_rate_of_the_speech(parallel_wavegan, feats_conf, rate):
    parallel_wavegan.config["sampling_rate_for_feats"] = rate
    parallel_wavegan.save()
    check_vocoder(parallel_wavegan.path, feats_conf)


def test_mels_of_another_rate_than_the_speech(parallel_wavegan, feats_conf):
    parallel_wavegan.config["sampling_rate_for_feats"] = 8000
    parallel_wavegan.save()
    message = refusal(parallel_wavegan, feats_conf)
    assert "sampling_rate_for_feats: mels of 8000 Hz, waveforms of 16000" in message


def make_stats():
    generator = torch.Generator().manual_seed(2)
    return torch.randn(8, generator=generator), torch.rand(8, generator=generator) + 1


def test_stats_in_the_checkpoint(parallel_wavegan, model, feats):
    mean, scale = make_stats()
    state = parallel_wavegan.checkpoint["model"]["generator"]
    state.update(mean=mean, scale=scale)
    parallel_wavegan.save()
    wav = build_vocoder(parallel_wavegan.path, model=model)(feats)
    assert torch.equal(wav, parallel_wavegan.expected((feats - mean) / scale))


@pytest.mark.parametrize("kind", ["npy", "hdf5"])
def test_stats_beside_the_checkpoint(parallel_wavegan, model, feats, kind):
    mean, scale = make_stats()
    folder = parallel_wavegan.path.parent
    if kind == "npy":
        np.save(folder / "stats.npy", np.stack([mean, scale]))
    else:
        h5py = pytest.importorskip("h5py")
        with h5py.File(folder / "stats.h5", "w") as file:
            file["mean"], file["scale"] = mean.numpy(), scale.numpy()
    parallel_wavegan.config["format"] = kind
    parallel_wavegan.save()
    wav = build_vocoder(parallel_wavegan.path, model=model)(feats)
    assert torch.equal(wav, parallel_wavegan.expected((feats - mean) / scale))


def test_stats_of_another_width(parallel_wavegan, feats_conf):
    np.save(parallel_wavegan.path.with_name("stats.npy"), np.zeros((2, 5)))
    with pytest.raises(ConfigError, match=r"\(5,\), not \(8,\)"):
        check_vocoder(parallel_wavegan.path, feats_conf)


def test_missing_stats_are_reported(parallel_wavegan, feats_conf, caplog):
    with caplog.at_level(logging.WARNING):
        check_vocoder(parallel_wavegan.path, feats_conf)
    assert "no stats.npy beside it" in caplog.text


def refusal(vocoder, feats_conf):
    with pytest.raises(ConfigError) as caught:
        check_vocoder(vocoder.path, feats_conf)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_missing_file(vocoder, feats_conf):
    vocoder.path.unlink()
    message = refusal(vocoder, feats_conf)
    assert message == f"vocoder {vocoder.path}: no such file"


def test_missing_config(vocoder, feats_conf):
    vocoder.config_path.unlink()
    assert f"no {vocoder.config_path.name} or" in refusal(vocoder, feats_conf)


def test_config_elsewhere(vocoder, feats_conf, tmp_path):
    moved = tmp_path / f"elsewhere{vocoder.config_path.suffix}"
    vocoder.config_path.rename(moved)
    check_vocoder(vocoder.path, feats_conf, moved)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "", "a: [b"])
def test_config_of_garbage(vocoder, feats_conf, text):
    vocoder.config_path.write_text(text)
    assert str(vocoder.config_path) in refusal(vocoder, feats_conf)


def test_config_lacks_a_key(vocoder, feats_conf):
    del vocoder.config["hop_size"]
    vocoder.save()
    assert "key 'hop_size' is missing" in refusal(vocoder, feats_conf)


def test_config_with_a_word_for_a_number(vocoder, feats_conf):
    vocoder.config["sampling_rate"] = "many"
    vocoder.save()
    message = refusal(vocoder, feats_conf)
    assert str(vocoder.config_path) in message and "many" in message


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_truncated_checkpoint(vocoder, feats_conf, share):
    content = vocoder.path.read_bytes()
    vocoder.path.write_bytes(content[: int(len(content) * share)])
    message = refusal(vocoder, feats_conf)
    assert message.startswith(f"vocoder {vocoder.path}: truncated")


def test_pickled_code_is_not_run(original, feats_conf, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    original.checkpoint["bomb"] = Bomb()
    original.save()
    refusal(original, feats_conf)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "checkpoint", [{}, {"generator": 1, "model": {"generator": 1}}]
)
def test_checkpoint_without_weights(vocoder, feats_conf, checkpoint):
    vocoder.checkpoint = checkpoint
    vocoder.save()
    assert "generator'" in refusal(vocoder, feats_conf)


def test_missing_and_unexpected_weights(original, feats_conf):
    state = original.checkpoint["generator"]
    state["conv_extra.bias"] = state.pop("conv_post.bias")
    original.save()
    message = refusal(original, feats_conf)
    assert "1 missing (output_conv.1.bias)" in message
    assert "1 unexpected (conv_extra.bias)" in message


def test_weights_of_another_width(vocoder, feats_conf):
    if "upsample_initial_channel" in vocoder.config:
        vocoder.config["upsample_initial_channel"] = 32
    else:
        vocoder.config["generator_params"]["channels"] = 32
    vocoder.save()
    message = refusal(vocoder, feats_conf)
    assert "of another shape" in message and "(16, 8, 7) for (32, 8, 7)" in message


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("resblock", "3", "resblock is '3'"),
        ("upsample_rates", [2, 2], "makes 4 samples a frame, but hop_size is 16"),
        ("upsample_kernel_sizes", [8, 10], "not twice the rates"),
        ("upsample_rates", [16, 1], "odd rate"),
        ("resblock_kernel_sizes", [3, 4], "not a generator that ESPnet can build"),
    ],
)
def test_original_network_espnet_cannot_build(original, feats_conf, key, value, words):
    original.config[key] = value
    original.save()
    assert words in refusal(original, feats_conf)


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("in_channels", 9, "in_channels is 9, but num_mels is 8"),
        ("nonlinear_activation", "Nonesuch", "Nonesuch"),
        ("wings", 2, "wings"),
    ],
)
def test_generator_params_espnet_cannot_build(
    parallel_wavegan, feats_conf, key, value, words
):
    parallel_wavegan.config["generator_params"][key] = value
    parallel_wavegan.save()
    assert words in refusal(parallel_wavegan, feats_conf)


@pytest.mark.parametrize(
    "change",
    [
        dict(generator_type="MelGANGenerator"),
        dict(generator_params=dict(use_causal_conv=True)),
        dict(generator_params=dict(out_channels=4)),
    ],
)
def test_other_generators_need_their_package(
    parallel_wavegan, feats_conf, monkeypatch, change
):
    monkeypatch.setitem(sys.modules, "parallel_wavegan.utils", None)
    parallel_wavegan.config.update(change)
    parallel_wavegan.save()
    assert "parallel_wavegan package" in refusal(parallel_wavegan, feats_conf)
