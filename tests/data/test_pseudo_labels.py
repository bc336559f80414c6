"""Pseudo-labels: synthesized speech with as many mel frames as its durations."""

import shutil

import numpy as np
import pytest
import soundfile
import torch
from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

from espnet_distill.cli import main as cli
from espnet_distill.data.pseudo_labels import gather
from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import read_table

RATE, HOP = 22050, 256
DURATIONS = {"a": [3, 4, 0], "b": [10], "c": [0, 0]}


@pytest.fixture
def decoded(tmp_path):
    """Make stage 8 output with lengths of a HiFi-GAN (a) and of Griffin-Lim (b)."""
    folder = tmp_path / "decoded"
    (folder / "wav").mkdir(parents=True)
    samples = {"a": 7 * HOP, "b": 9 * HOP, "c": HOP}
    waves = []
    for key, count in samples.items():
        path = folder / "wav" / f"{key}.wav"
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, count)
        soundfile.write(path, noise, RATE, subtype="PCM_16")
        waves.append(f"{key} {path}\n")
    (folder / "wav" / "wav.scp").write_text("".join(waves))
    rows = (f"{key} {' '.join(map(str, row))}\n" for key, row in DURATIONS.items())
    (folder / "durations").write_text("".join(rows))
    return folder


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "asked"
    folder.mkdir()
    (folder / "text").write_text("a one\nb two\nc three\n")
    (folder / "utt2spk").write_text("a x\nb x\nc x\n")
    return folder


def test_frames_are_as_many_as_durations(decoded, source, tmp_path):
    out = tmp_path / "out"
    gather(decoded, source, out, HOP)
    extract = LogMelFbank(fs=RATE, n_fft=1024, hop_length=HOP)
    for key, path in read_table(out / "wav.scp").items():
        speech, _ = soundfile.read(path, dtype="float32")
        length = torch.tensor([len(speech)])
        _, frames = extract(torch.from_numpy(speech)[None], length)
        assert frames.item() == sum(DURATIONS[key])


def test_of_latents_alone_the_recordings_are_listed(decoded, source, tmp_path):
    shutil.rmtree(decoded / "wav")
    recordings = "".join(f"{key} recording.wav\n" for key in DURATIONS)
    (source / "wav.scp").write_text(recordings)
    out = tmp_path / "out"
    assert gather(decoded, source, out, HOP).endswith(
        "2 of 3 utterances, latents alone"
    )
    assert read_table(out / "wav.scp") == dict.fromkeys("ab", "recording.wav")
    assert set(read_table(out / "durations")) == {"a", "b"}
    assert not (out / "wav").exists()


def test_float_speech_is_written_as_it_sounds_and_clipped(decoded, source, tmp_path):
    wave = 0.5 * np.sin(0.05 * np.arange(9 * HOP))
    wave[:2] = 1.5, -1.5
    soundfile.write(decoded / "wav" / "b.wav", wave, RATE, subtype="FLOAT")
    gather(decoded, source, tmp_path / "out", HOP)
    written, _ = soundfile.read(tmp_path / "out/wav/b.wav")
    np.testing.assert_allclose(written, wave.clip(-1, 1), atol=1e-4)


def test_utterances_without_speech_are_left_out(decoded, source, tmp_path):
    out = tmp_path / "out"
    assert "2 of 3 utterances" in gather(decoded, source, out, HOP)
    for name in ("text", "utt2spk", "wav.scp", "durations"):
        assert list(read_table(out / name)) == ["a", "b"]


def test_invalid_durations_are_refused_in_one_line(decoded, source, tmp_path, capsys):
    (decoded / "durations").write_text("c 0 0\n")
    with pytest.raises(ConfigError, match="has no speech with durations"):
        gather(decoded, source, tmp_path / "out", HOP)
    command = ["pseudo-label", str(tmp_path), str(source), str(tmp_path / "o")]
    assert cli.main([*command, "--n-shift", str(HOP)]) == 2
    assert "durations: cannot be read" in capsys.readouterr().err
