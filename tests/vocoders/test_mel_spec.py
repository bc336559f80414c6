"""A vocoder accepts only its training features."""

from types import SimpleNamespace

import pytest
from espnet2.tts.feats_extract.linear_spectrogram import LinearSpectrogram
from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

from espnet_distill.errors import ConfigError
from espnet_distill.vocoders import build_vocoder, check_vocoder


@pytest.mark.parametrize(
    "key, value, vocoder_value, model_value",
    [
        ("fs", 22050, "sampling rate 16000", "22050"),
        ("n_fft", 128, "FFT size 64", "128"),
        ("win_length", None, "window length 48", "64"),
        ("hop_length", 20, "hop length 16", "20"),
        ("n_mels", 10, "number of mels 8", "10"),
        ("fmin", 80, "lowest mel frequency 50", "80"),
        ("fmin", None, "lowest mel frequency 50", "0"),
        ("fmax", None, "highest mel frequency 7000", "8000"),
        ("log_base", 10.0, "log base e", "10"),
        ("window", "hamming", "window hann", "hamming"),
        ("htk", True, "HTK mel scale False", "True"),
    ],
)
def test_mismatch_names_both_values(
    vocoder, feats_conf, key, value, vocoder_value, model_value
):
    feats_conf[key] = value
    expected = (
        f"vocoder {vocoder.path}: {vocoder_value}, but the model's mels have "
        f"{model_value} "
        f"(feats_extract_conf.{key})"
    )
    with pytest.raises(ConfigError) as before:
        check_vocoder(vocoder.path, feats_conf)
    assert str(before.value) == expected
    model = SimpleNamespace(feats_extract=LogMelFbank(**feats_conf))
    with pytest.raises(ConfigError) as building:
        build_vocoder(vocoder.path, model=model)
    assert str(building.value) == expected


def test_every_mismatch_is_in_the_one_line(vocoder, feats_conf):
    feats_conf.update(fs=22050, hop_length=20)
    with pytest.raises(ConfigError, match=r"rate 16000.*; hop length 16.*20"):
        check_vocoder(vocoder.path, feats_conf)


def test_what_the_configuration_leaves_out_is_espnets_default(vocoder, feats_conf):
    del feats_conf["log_base"]
    with pytest.raises(ConfigError, match="log base e, but .* have 10 "):
        check_vocoder(vocoder.path, feats_conf)


def test_parallel_wavegan_is_base_10_by_default(parallel_wavegan, feats_conf):
    del parallel_wavegan.config["log_base"]
    parallel_wavegan.save()
    with pytest.raises(ConfigError, match="log base 10, but .* have e "):
        check_vocoder(parallel_wavegan.path, feats_conf)
    check_vocoder(parallel_wavegan.path, {**feats_conf, "log_base": 10.0})


def test_equal_values_in_other_spellings_fit(parallel_wavegan, feats_conf):
    parallel_wavegan.config.update(fmin=None, fmax=None, win_length=None)
    parallel_wavegan.save()
    feats_conf.update(fs="16k", fmin=0, fmax=8000, win_length=64, log_base=2.718281828)
    check_vocoder(parallel_wavegan.path, feats_conf)


@pytest.mark.parametrize("conf", [None, {"hops": 3}, {"fs": "many"}, {"n_fft": 6.5}])
def test_feats_extract_conf_that_espnet_refuses(vocoder, conf):
    with pytest.raises(ConfigError, match="^feats_extract_conf: "):
        check_vocoder(vocoder.path, conf)


def test_model_without_mels(vocoder):
    model = SimpleNamespace(feats_extract=LinearSpectrogram())
    with pytest.raises(ConfigError, match="LinearSpectrogram makes no mels"):
        build_vocoder(vocoder.path, model=model)


def test_model_without_extractor_is_reported(vocoder, feats, caplog):
    built = build_vocoder(vocoder.path, model=SimpleNamespace(feats_extract=None))
    assert "not checked" in caplog.text
    assert built(feats).shape == (320,)
