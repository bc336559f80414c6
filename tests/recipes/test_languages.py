"""A corpus of German phonemes, 48 kHz and several speakers through a recipe's stages."""

import pytest
import soundfile
import yaml

from espnet_distill.utils.files import read_table

from .mini_an4 import copy_recipe, run

pytest.importorskip("espeakng_loader")
DATA = """#!/usr/bin/env bash
set -euo pipefail
. ./path.sh
archive=$(espnet-distill espnet-root)/egs2/mini_an4/tts1/downloads.tar.gz
tar -xzf "${archive}"
mkdir -p data/train data/dev data/eval
python3 local/german.py
for name in train dev eval; do
    utils/utt2spk_to_spk2utt.pl data/${name}/utt2spk > data/${name}/spk2utt
done
espnet-distill prepare-text --voice de data/train data/dev data/eval
"""
GERMAN = """
from pathlib import Path

import numpy as np
import soundfile
import soxr

from espnet_distill.data.list_clips import write_data_folder

TEXTS = [
    "Schöne Mädchen, ein Download!",
    "Am 3. Mai 1999 war es süß.",
    "Große Bären mögen „Äpfel“.",
    "Die Übung kostet 5,20 €?",
]
rows = []
for path in sorted(Path("downloads/an4").rglob("*.sph"))[:8]:
    speech, rate = soundfile.read(path)
    wav = path.with_suffix(".wav")
    speech = np.tile(soxr.resample(speech, rate, 48000), 3)  # as long as the text
    soundfile.write(wav, speech, 48000)
    speaker = path.stem.split("-")[1]
    text = TEXTS[len(rows) % len(TEXTS)]
    rows.append((f"{speaker}-{len(rows)}", wav, text, speaker))
rows.sort()
write_data_folder(Path("data/train"), rows[:-2])
write_data_folder(Path("data/dev"), rows[-2:-1])
write_data_folder(Path("data/eval"), rows[-1:])
"""
OPTIONS = ["--token_type", "phn", "--test_sets", "eval", "--nj", 1]
OPTIONS += ["--tts_opts", "--use_sid true"]
OPTIONS += ["--teacher_config", "conf/tuning/train_teacher_multispeaker.yaml"]
OPTIONS += ["--student_config", "conf/tuning/train_student_multispeaker.yaml"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The recipe's folder after data, alignment and statistics."""
    recipe = copy_recipe(tmp_path_factory.mktemp("recipes"))
    (recipe / "local/data.sh").write_text(DATA)
    (recipe / "local/german.py").write_text(GERMAN, encoding="utf-8")
    done = run(recipe, *OPTIONS, "--stop_stage", 3)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return recipe


def test_text_is_phonemes_of_single_code_points(recipe):
    tokens = (recipe / "dump/token_list/phn_none/tokens.txt").read_text("utf-8")
    special = {"<blank>", "<unk>", "<space>", "<sos/eos>"}
    phonemes = set(tokens.split()) - special
    assert special < set(tokens.split())
    assert all(len(phoneme) == 1 for phoneme in phonemes)
    assert {"ø", "y", "ː", "ˈ", "̧", ",", "?"} < phonemes
    assert not phonemes & set('äöüß„“"()€0123456789')


def test_the_words_stay_beside_the_phonemes(recipe):
    words = read_table(recipe / "data/train/words")
    assert "Am dritten Mai neunzehnhundertneunundneunzig war es süß." in words.values()


def test_recordings_are_resampled(recipe):
    for path in read_table(recipe / "dump/raw/train/wav.scp").values():
        assert soundfile.info(recipe / path).samplerate == 16000


def test_speakers_are_numbered(recipe):
    speakers = read_table(recipe / "dump/raw/train/utt2sid")
    assert len(set(speakers.values())) > 1


def test_each_phoneme_has_a_duration(recipe):
    durations = read_table(recipe / "exp/alignment/train/durations")
    text = read_table(recipe / "dump/raw/train/text")
    for utterance, frames in durations.items():
        assert len(frames.split()) == len(text[utterance].split()) + 1  # <sos/eos>


def test_the_recorded_front_end(recipe):
    record = yaml.safe_load((recipe / "data/eval/front_end.yaml").read_text())
    assert (record["language"], record["voice"]) == ("de", "de")
