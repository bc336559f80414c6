"""Audio files in all formats of libsndfile, and errors for invalid files."""

import numpy as np
import pytest
import soundfile

from espnet_distill.data.audio import read_audio, require_audio, require_recordings
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.score import copy_speech

RATE = 16000
TONE = 0.5 * np.sin(0.05 * np.arange(RATE))
TYPES = {
    ("WAV", "PCM_16"): 1e-4,
    ("WAV", "PCM_24"): 1e-6,
    ("WAV", "PCM_U8"): 0.01,
    ("WAV", "FLOAT"): 1e-6,
    ("WAV", "DOUBLE"): 1e-6,
    ("WAV", "ULAW"): 0.02,
    ("WAVEX", "PCM_16"): 1e-4,
    ("RF64", "PCM_16"): 1e-4,
    ("FLAC", "PCM_24"): 1e-6,
    ("AIFF", "FLOAT"): 1e-6,
    ("NIST", "PCM_16"): 1e-4,
    ("OGG", "VORBIS"): 0.05,
    ("MP3", "MPEG_LAYER_III"): 0.05,
}


@pytest.mark.parametrize("container, subtype", TYPES)
def test_sample_types_give_the_same_waveform(container, subtype, tmp_path):
    path = tmp_path / "a.audio"
    soundfile.write(path, TONE, RATE, subtype, format=container)
    wave, rate = read_audio(path, "a", RATE)
    assert wave.dtype == np.float32 and rate == RATE
    assert len(wave) == require_audio(path)
    np.testing.assert_allclose(wave, TONE, atol=TYPES[container, subtype])


def test_float_speech_is_copied_as_it_sounds_and_clipped(tmp_path):
    wave = np.array([0.5, -0.25, 1.5, -1.5])
    soundfile.write(tmp_path / "a.wav", wave, RATE, "FLOAT")
    copy = copy_speech(tmp_path, {"row": {"a": tmp_path / "a.wav"}})["row"]["a"]
    written, _ = soundfile.read(copy, dtype="int16")
    assert written.tolist() == [16384, -8192, 32767, -32768]


@pytest.mark.parametrize("container", ["WAV", "FLAC"])
def test_sixteen_bits_are_copied_exactly(container, tmp_path):
    every = np.arange(-(2**15), 2**15, dtype=np.int16)
    soundfile.write(tmp_path / "a", every, RATE, "PCM_16", format=container)
    copy = copy_speech(tmp_path, {"row": {"a": tmp_path / "a"}})["row"]["a"]
    np.testing.assert_array_equal(soundfile.read(copy, dtype="int16")[0], every)


def write(path, wave=TONE, rate=RATE, subtype="PCM_16", cut=1.0, **options):
    soundfile.write(path, wave, rate, subtype, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])


REFUSED = {
    "another rate": (dict(rate=44100), "has 44100 Hz, expected 16000; resample it"),
    "stereo": (dict(wave=np.stack([TONE] * 2, 1)), "has 2 channels, expected 1; mix"),
    "empty": (dict(wave=[]), "is empty; leave the utterance out"),
    "too short": (dict(wave=TONE[:200]), "200 samples, expected at least 257; leave"),
    "truncated": (dict(cut=0.5), "is truncated: 15978 of 32000 bytes; copy it again"),
    "truncated FLAC": (dict(cut=0.5, format="FLAC"), "cannot be read to its end"),
    "truncated MP3": (
        dict(cut=0.5, subtype=None, format="MP3"),
        " of 16000 samples; copy it again",
    ),
    "no audio": (dict(cut=0.0001), "cannot be read as audio (Format not recognised)"),
    "NaN": (
        dict(wave=np.where(TONE > 0.4, np.nan, TONE), subtype="FLOAT"),
        " samples are NaN or infinite; write the file again",
    ),
    "integers as floats": (
        dict(wave=2**15 * TONE, subtype="FLOAT"),
        "samples reach 16384, expected at most 1; scale them",
    ),
}


@pytest.mark.parametrize("made, line", REFUSED.values(), ids=REFUSED)
def test_invalid_audio_is_refused_in_one_line(made, line, tmp_path):
    path = tmp_path / "a.wav"
    write(path, **made)
    with pytest.raises(ConfigError) as caught:
        read_audio(path, "utt_a", RATE, 257)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{path}: utt_a: ") and line in fault


@pytest.mark.parametrize(
    "value, line",
    [
        ("sph2pipe -f wav a.sph |", "is a command, expected a file; write its audio"),
        ("none.wav", "no such file; run in the recipe's folder"),
    ],
)
def test_a_pipe_and_a_missing_file_are_refused(value, line):
    with pytest.raises(ConfigError) as caught:
        require_audio(value, "utt_a")
    assert str(caught.value).startswith(f"{value}: utt_a: {line}")


def test_unknown_size_in_header_is_no_truncation(tmp_path):
    path = tmp_path / "a.wav"
    write(path)
    content = bytearray(path.read_bytes())
    for place in (4, 40):  # the sizes of RIFF and data, as ffmpeg leaves them
        content[place : place + 4] = b"\xff" * 4
    path.write_bytes(content)
    assert len(read_audio(path)[0]) == RATE


def test_first_ten_invalid_recordings_are_named(tmp_path):
    for number in range(12):
        write(tmp_path / f"{number}.wav", rate=8000)
    lines = (f"{number} {tmp_path / str(number)}.wav\n" for number in range(12))
    (tmp_path / "wav.scp").write_text("".join(lines))
    utterances = map(str, range(12))
    with pytest.raises(ConfigError) as caught:
        require_recordings(tmp_path / "wav.scp", utterances, RATE)
    assert len(caught.value.faults) == 10
    assert f"{tmp_path}/9.wav: 9: has 8000 Hz" in caught.value.faults[9]
