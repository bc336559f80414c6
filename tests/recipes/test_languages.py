"""A recipe of new-recipe, of German at 48 kHz with two speakers, through its stages."""

import pytest
import soundfile
import yaml

from espnet_distill.recipes.new_recipe import new_recipe
from espnet_distill.utils.files import read_table

from .mini_an4 import ROOT, run

pytest.importorskip("espeakng_loader")

from .espeak_voice import GERMAN, write_corpus  # noqa: E402

SPEAKERS = """
sed -i -E 's/^([a-z]+)(-.*) .*/\\1\\2 \\1/' data/all/utt2spk
"""
CONF = ROOT / "egs/mini_an4/tts1/conf/tuning"
OPTIONS = ["--test_sets", "eval", "--nj", 1, "--align_steps", 20, "--student", ""]
OPTIONS += ["--tts_opts", "--use_sid true", "--train_teacher", "true"]
OPTIONS += ["--teacher_config", CONF / "train_teacher_multispeaker.yaml"]
OPTIONS += ["--student_config", CONF / "train_student_multispeaker.yaml"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The recipe's folder after data, alignment and statistics.

    The recipe is that of one speaker; its data.sh then names two.
    """
    root = tmp_path_factory.mktemp("recipes")
    names = [f"{'ab'[number % 2]}-{number:02}" for number in range(20)]
    corpus = write_corpus(root / "my corpus", dict(zip(names, GERMAN * 4)), "de", 48000)
    recipe = root / "german/tts1"
    files = corpus / "metadata.csv", corpus / "wavs"
    new_recipe(recipe, *files, "espeak_ng_german", fs=16000)
    script = recipe / "local/data.sh"
    head, listing, rest = script.read_text().partition("utils/utt2spk_to_spk2utt.pl")
    script.write_text(head + SPEAKERS + listing + rest)
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
