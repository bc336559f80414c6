"""Griffin-Lim is ESPnet's for base 10 and just as good for other bases."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from espnet2.tts.feats_extract.linear_spectrogram import LinearSpectrogram
from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank
from espnet2.utils.griffin_lim import Spectrogram2Waveform

from espnet_distill.errors import ConfigError
from espnet_distill.vocoders import build_vocoder, check_vocoder

CONF = dict(fs=16000, n_fft=512, hop_length=128, n_mels=40, fmin=0, fmax=8000)


@pytest.fixture(autouse=True)
def same_start_phase(monkeypatch):
    """Seed the generator that librosa's Griffin-Lim makes anew in each call."""
    default_rng = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed=None: default_rng(7))


@pytest.fixture
def speech():
    """Half a second of a voice-like sound: ten harmonics of a gliding pitch."""
    pitch = torch.linspace(120, 180, 8000).double()
    phase = 2 * torch.pi * pitch.cumsum(0) / 16000
    return sum(torch.sin(k * phase) / k for k in range(1, 11)).float() / 4


def analyse(speech, log_base):
    extractor = LogMelFbank(**CONF, log_base=log_base)
    feats, _ = extractor(speech[None], torch.tensor([len(speech)]))
    return SimpleNamespace(feats_extract=extractor), feats[0]


@pytest.mark.parametrize("none", [None, "none", "None", "null"])
def test_base_10_is_espnets_bit_for_bit(speech, none):
    model, feats = analyse(speech, 10.0)
    stock = Spectrogram2Waveform(**model.feats_extract.get_parameters())
    built = build_vocoder(none, None, model, "cpu")
    assert built.fs == 16000
    assert torch.equal(built(feats), stock(feats))


@pytest.mark.parametrize("log_base", [None, 2.0])
def test_other_bases_give_the_same_speech(speech, log_base):
    model, feats = analyse(speech, 10.0)
    expected = build_vocoder(None, model=model)(feats)
    model, feats = analyse(speech, log_base)
    wav = build_vocoder(None, model=model)(feats)
    torch.testing.assert_close(wav, expected, rtol=1e-3, atol=1e-4)

    _, again = analyse(wav, log_base)
    n = min(len(feats), len(again))
    stock = Spectrogram2Waveform(**model.feats_extract.get_parameters())
    _, noise = analyse(stock(feats), log_base)
    error = (again[:n] - feats[:n]).abs().mean()
    assert error < 0.5 * (noise[:n] - feats[:n]).abs().mean()


@pytest.mark.parametrize("fmin, fmax", [(0, None), (None, None)])
def test_mels_up_to_half_the_sampling_rate(speech, fmin, fmax):
    """Stock ESPnet stops at a float of its own making."""
    extractor = LogMelFbank(**CONF | {"fmin": fmin, "fmax": fmax})
    feats, _ = extractor(speech[None], torch.tensor([len(speech)]))
    stated, _ = analyse(speech, 10.0)
    model = SimpleNamespace(feats_extract=extractor)
    wav = build_vocoder(None, None, model)(feats[0])
    assert torch.equal(wav, build_vocoder(None, None, stated)(feats[0]))


def test_arguments_from_a_file(speech, tmp_path):
    model, feats = analyse(speech, None)
    path = tmp_path / "griffin_lim.yaml"
    path.write_text("griffin_lim_iters: 1\n")
    once = build_vocoder(None, path, model)(feats)
    assert not torch.allclose(once, build_vocoder(None, None, model)(feats), atol=1e-3)


def test_model_without_extractor_takes_all_from_the_file(speech, tmp_path):
    model, feats = analyse(speech, None)
    path = tmp_path / "griffin_lim.yaml"
    path.write_text(
        "{fs: 16000, n_fft: 512, n_shift: 128, n_mels: 40, fmin: 0, fmax: 8000, "
        "log_base: null}"
    )
    without = SimpleNamespace(feats_extract=None)
    wav = build_vocoder(None, path, without)(feats)
    assert torch.equal(wav, build_vocoder(None, None, model)(feats))


@pytest.mark.parametrize("extractor", [None, LinearSpectrogram()])
def test_without_parameters_there_is_no_vocoder(extractor, caplog):
    model = SimpleNamespace(feats_extract=extractor)
    assert build_vocoder(None, model=model) is None
    assert "no waveforms" in caplog.text


@pytest.mark.parametrize("text", ["wings: 2", "[1]", "{", "griffin_lim_iters: many"])
def test_bad_file(speech, tmp_path, text):
    model, _ = analyse(speech, None)
    path = tmp_path / "griffin_lim.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="griffin_lim.yaml") as caught:
        build_vocoder(None, path, model)
    assert "\n" not in str(caught.value)


def test_check_lets_griffin_lim_pass():
    check_vocoder("none", dict(CONF))
