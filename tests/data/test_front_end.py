"""Front ends of configurations, default cleaners, prepared data folders."""

import pytest

from espnet_distill.cli.main import main
from espnet_distill.data.front_end import (
    FrontEnd,
    default_cleaner,
    prepare_folder,
    read_record,
    words_of,
)
from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import read_table

ENGLISH = "espeak_ng_english_us_vits"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text").write_text("a Am 3. Mai!\nb Schöne „Mädchen“\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "token_type, g2p, language, cleaner",
    [
        ("phn", ENGLISH, None, "none"),
        ("phn", "espeak_ng_german", None, "none"),
        ("phn", "g2p_en_no_space", None, "tacotron"),
        ("phn", "none", "en", "none"),
        ("phn", "pyopenjtalk", "ja", "none"),
        ("char", "none", "en-us", "tacotron"),
        ("char", ENGLISH, None, "none"),
        ("bpe", "none", "de", "none"),
    ],
)
def test_default_cleaner_follows_the_g2p(token_type, g2p, language, cleaner):
    assert default_cleaner(token_type, g2p, language) == cleaner


def test_front_end_of_a_configuration():
    conf = {"token_type": "phn", "g2p": ENGLISH, "cleaner": None}
    front_end = FrontEnd.of(conf)
    assert front_end == FrontEnd("phn", ENGLISH, None, "en")
    assert front_end.prepare("It costs $5.") == "It costs five dollars."
    old = FrontEnd.of(conf | {"cleaner": "tacotron"})
    assert old.prepare("It costs $5.") == "It costs $5."  # the cleaner normalizes
    assert FrontEnd.of({"token_type": "char", "g2p": ENGLISH}).language is None


def test_normalized_folder_is_words_for_an_espeak_g2p(folder):
    assert prepare_folder(folder, "de") == 2
    assert read_table(folder / "text") == {
        "a": "Am dritten Mai!",
        "b": "Schöne Mädchen",
    }
    assert words_of(folder) == folder / "text"
    assert read_record(folder)["language"] == "de"


def test_phonemized_folder_keeps_its_words_and_is_prepared_once(folder):
    pytest.importorskip("espeakng_loader")
    for _ in range(2):
        prepare_folder(folder, "de", "de")
    text, words = read_table(folder / "text"), read_table(words_of(folder))
    assert words == {"a": "Am dritten Mai!", "b": "Schöne Mädchen"}
    assert text["b"].split() == "ʃ ˈ ø ː n ə <space> m ˈ ɛ ː d c ̧ ə n".split()
    front_end = FrontEnd.of({"token_type": "phn", "g2p": None}, folder)
    assert front_end == FrontEnd("phn", None, None, "de", "de")
    assert {key: front_end.prepare(words[key]) for key in words} == text
    prepare_folder(folder, "de")
    assert words_of(folder) == folder / "text" and read_table(folder / "text") == words


def test_new_words_in_a_prepared_folder_are_prepared(folder):
    pytest.importorskip("espeakng_loader")
    prepare_folder(folder, "de", "de")
    (folder / "text").write_text("c Haus\n", "utf-8")
    prepare_folder(folder, "de", "de")
    assert read_table(words_of(folder)) == {"c": "Haus"}


def test_norwegian_is_no_boolean(folder):
    prepare_folder(folder, "no")
    assert read_record(folder)["language"] == "no"


def test_a_file_is_prepared_as_a_folder_was(folder, tmp_path, capsys):
    pytest.importorskip("espeakng_loader")
    (tmp_path / "more").write_text("y Haus\nx 3 Mädchen\n", "utf-8")
    assert main(["prepare-text", str(folder), "--voice", "de"]) == 0
    out = tmp_path / "out"
    arguments = [str(tmp_path / "more"), "--like", str(folder), "--out", str(out)]
    assert main(["prepare-text", *arguments]) == 0
    assert list(read_table(out)) == ["x", "y"]
    assert read_table(out)["y"] == "h ˈ a ʊ s"
    assert "2 utterances" in capsys.readouterr().out


def test_a_file_like_a_folder_that_was_not_prepared_stays(tmp_path):
    (tmp_path / "more").write_text("y It costs $5.\n")
    out = tmp_path / "out"
    arguments = [str(tmp_path / "more"), "--like", str(tmp_path), "--out", str(out)]
    assert main(["prepare-text", *arguments]) == 0
    assert out.read_text() == "y It costs $5.\n"


def test_utterances_without_words_are_named(folder):
    (folder / "text").write_text("a ...\nb Haus\n", "utf-8")
    with pytest.raises(ConfigError, match=r"text: a: '...': has no words; remove it"):
        prepare_folder(folder, "de")
    assert (folder / "text").read_text("utf-8") == "a ...\nb Haus\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--language, --voice or --like: give one of them"),
        (["--language", "german"], "expected a code of ISO 639"),
        (["--language", "de", "--voice", "xx"], "voice 'xx': espeak-ng has no such"),
        (["--like", "."], "--like: prepares a file; name it with --out, too"),
    ],
)
def test_bad_options_are_refused(folder, capsys, arguments, message):
    pytest.importorskip("espeakng_loader")
    assert main(["prepare-text", str(folder), *arguments]) == 2
    assert message in capsys.readouterr().err
