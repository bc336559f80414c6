"""What a front end loses, changes and makes of text, found before a training."""

import sys

import pytest

from espnet_distill.cli.main import main
from espnet_distill.data.front_end import FrontEnd, prepare_folder, require_front_end
from espnet_distill.data.text_report import format_report, report_text
from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import read_table

pytest.importorskip("phonemizer")
pytest.importorskip("espeakng_loader")
ENGLISH = "espeak_ng_english_us_vits"
PROMPTS = {
    "a": "Will we ever forget it.",
    "b": "It is good for us, I'll say.",
    "c": "The BBC is an acronym.",
    "d": "Clubs and balls.",
}
GERMAN = {
    "a": "Schöne Mädchen mit Download, ja.",
    "b": "Das kostet 5.20 gut.",
}


def rows(lines, tokens=None, **options):
    findings = report_text(lines, FrontEnd(**options), None, tokens)
    return {finding.title: finding for finding in findings}


def test_a_cleaner_that_upper_cases_is_found_to_spell_words():
    found = rows(PROMPTS, g2p=ENGLISH, cleaner="tacotron")
    spelled = found["words that are spelled, not in capitals in the text"]
    assert (spelled.sentences, spelled.count) == (2, 3)
    assert spelled.examples == ("it", "It", "us")
    changed = found["phonemes that the cleaner changes"]
    assert changed.sentences == 2
    assert changed.examples[0].endswith("ɪt → ɛtaɪtiː")


def test_without_a_cleaner_no_phonemes_change_and_acronyms_may_be_spelled():
    found = rows(PROMPTS, g2p=ENGLISH)
    assert set(found) == {"tokens seen once"}


def test_letters_that_the_cleaner_removes_are_counted():
    found = rows(GERMAN, token_type="char", cleaner="tacotron")
    removed = found["letters that the cleaner removes"]
    assert (removed.sentences, removed.count) == (1, 2)
    assert removed.examples == ("ö", "ä")


def test_text_that_espnet_loses_is_shown():
    found = rows(GERMAN, g2p="espeak_ng_german")
    lost = found["text that the g2p loses"]
    assert (lost.sentences, lost.count) == (1, 1)
    assert lost.examples[0].endswith("ˈuː t")


def test_flags_and_punctuation_in_tokens_are_found():
    found = rows(GERMAN, g2p="espeak_ng_german")
    assert found["language flags in tokens"].examples == ("(en)", "(de)")
    joined = found["tokens of several code points with punctuation"]
    assert "',j'" in joined.examples


def test_phonemes_of_prepared_text_have_neither(tmp_path):
    lines = [f"{key} {text}\n" for key, text in GERMAN.items()]
    (tmp_path / "text").write_text("".join(lines), "utf-8")
    prepare_folder(tmp_path, "de", "de")
    text = read_table(tmp_path / "text")
    assert set(rows(text, token_type="phn")) == {"tokens seen once"}


def test_unknown_tokens_are_counted():
    found = rows({"a": "abcb"}, tokens=["<unk>", "a", "c"], token_type="char")
    unknown = found["tokens that are <unk>"]
    assert (unknown.sentences, unknown.count, unknown.examples) == (1, 2, ("'b'",))


def test_tokens_seen_once_name_their_sentence():
    once = rows({"a": "aab"}, token_type="char")["tokens seen once"]
    assert once.examples == ("'b' in aab",)


def test_the_table_has_counts_and_three_examples():
    found = report_text({"a": "abcde"}, FrontEnd("char"))
    table = format_report(found, 1)
    assert "| tokens seen once |         1 |     5 |" in table
    assert table.count(" in abcde") == 3
    assert format_report([], 2) == "2 sentences: nothing found"


def test_the_command_prints_the_table(tmp_path, capsys):
    text, tokens = tmp_path / "text", tmp_path / "tokens.txt"
    text.write_text("a It is us.\nb It is us.\n")
    tokens.write_text("<unk>\n")
    options = ["--token-type", "phn", "--g2p", ENGLISH, "--cleaner", "tacotron"]
    options += ["--token-list", str(tokens)]
    assert main(["check-text", *options, str(text)]) == 0
    table = capsys.readouterr().out
    assert table.startswith("| 2 sentences ")
    assert "tokens that are <unk>" in table and "It, us" in table


@pytest.mark.parametrize(
    "options, message",
    [
        (["--g2p", "espeak_ng_german", "--cleaner", "tacotron"],
         "cleaner: tacotron is for en, the text is de (g2p espeak_ng_german); take"),
        (["--g2p", "none", "--cleaner", "tacotron", "--language", "de"],
         "cleaner: tacotron is for en, the text is de (g2p none); take none"),
        (["--g2p", "espeak_ng_deutsch"], "g2p: ESPnet has no espeak_ng_deutsch; near:"),
        (["--cleaner", "tacotrn"], "cleaner: ESPnet has no tacotrn; near: tacotron"),
        (["--g2p", "g2pk"], "--g2p: g2p: "),
    ],
)  # fmt: skip
def test_a_front_end_that_cannot_be_meant_is_refused(
    tmp_path, capsys, options, message
):
    (tmp_path / "text").write_text("a Haus\n")
    arguments = ["--token-type", "phn", *options, str(tmp_path / "text")]
    assert main(["check-text", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_front_end_options_without_a_token_type_are_refused(tmp_path, capsys):
    assert main(["check-text", "--g2p", "none"]) == 2
    assert "--token-type: name it, too" in capsys.readouterr().err


def test_the_language_is_the_recorded_one(tmp_path, capsys):
    (tmp_path / "text").write_text("a Haus\n")
    prepare_folder(tmp_path, "de")
    options = ["--token-type", "char", "--cleaner", "tacotron"]
    assert main(["check-text", *options, str(tmp_path / "text")]) == 2
    assert "the text is de" in capsys.readouterr().err


def test_japanese_without_pyopenjtalk_is_refused(tmp_path, capsys, monkeypatch):
    package = "espnet_distill.experiments.text_frontend.find_spec"
    monkeypatch.setattr(package, lambda name: None)
    (tmp_path / "text").write_text("a 水です。\n", "utf-8")
    command = ["check-text", "--token-type", "phn", "--g2p", "pyopenjtalk_prosody"]
    assert main([*command, str(tmp_path / "text")]) == 2
    assert "pip install 'espnet_distill[ja]'" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "pyopenjtalk", None)  # ESPnet's import fails
    with pytest.raises(ConfigError, match=r"--g2p: g2p: pyopenjtalk is not installed"):
        rows({"a": "水です。"}, g2p="pyopenjtalk_prosody")


def test_a_cleaner_without_its_package_is_refused(tmp_path, capsys, monkeypatch):
    package = "espnet_distill.experiments.text_frontend.find_spec"
    monkeypatch.setattr(package, lambda name: None)
    (tmp_path / "text").write_text("a Haus\n")
    command = ["check-text", "--token-type", "char", "--cleaner", "whisper_basic"]
    assert main([*command, str(tmp_path / "text")]) == 2
    assert capsys.readouterr().err.endswith(
        "error: cleaner: whisper_basic: whisper is not installed; pip install "
        "openai-whisper\n"
    )


def test_japanese_is_reported():
    pytest.importorskip("pyopenjtalk")
    lines = {"a": "水です。", "b": "水ですか？"}
    found = rows(lines, g2p="pyopenjtalk_prosody")
    once = found["tokens seen once"]
    assert (once.sentences, once.count) == (2, 4)  # $; k, a, ?
    with pytest.raises(ConfigError, match="tacotron is for en, the text is ja"):
        require_front_end(
            FrontEnd(g2p="pyopenjtalk", cleaner="tacotron", language="ja")
        )


@pytest.mark.parametrize(
    "g2p, package, text, lost",
    [
        ("korean_jaso", "jamo", "책이 12권 있습니다.", ("12",)),
        ("pypinyin_g2p_phone", "pypinyin", "我有12本书。", ("12",)),
        ("pyopenjtalk_prosody", "pyopenjtalk", "本を12冊買いました。", None),
    ],
)
def test_numbers_that_a_g2p_omits_are_lost_text(g2p, package, text, lost):
    pytest.importorskip(package)
    found = rows({"a": text, "b": text.replace("12", "")}, g2p=g2p)
    assert (found["text that the g2p loses"].examples if lost else None) == lost
    assert ("text that the g2p loses" in found) == bool(lost)
