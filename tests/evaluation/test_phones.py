"""Phone errors of transcripts: what is counted, written and shown."""

import pytest

for package in ("espeakng_loader", "jiwer", "rapidfuzz", "whisper_normalizer"):
    pytest.importorskip(package)

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation import phone_table
from espnet_distill.evaluation.metrics.phones import count_phone_errors, find_voice
from espnet_distill.evaluation.score import Score


def errors(*pairs, voice="en-us"):
    """The places with errors: (errors, substitutes, inserted) by phone and position."""
    return {
        tuple(place): (one.errors, dict(one.substitutes), one.inserted)
        for place, one in count_phone_errors(pairs, voice).items()
        if one.errors or one.inserted
    }


def test_each_position_of_a_word_is_counted():
    counts = count_phone_errors([("thick tin a", "thick tin a")], "en-us")
    assert {tuple(place): one.count for place, one in counts.items()} == {
        ("θ", "initial"): 1,
        ("ɪ", "medial"): 2,
        ("k", "final"): 1,
        ("t", "initial"): 1,
        ("n", "final"): 1,
        ("eɪ", "initial"): 1,
    }
    assert not any(one.errors for one in counts.values())


def test_substitutions_deletions_and_insertions():
    assert errors(("a thin seat", "a fin seat")) == {("θ", "initial"): (1, {"f": 1}, 0)}
    assert errors(("the seat", "the sea")) == {("t", "final"): (1, {}, 0)}
    assert errors(("the sea", "the seat")) == {("t", "final"): (0, {}, 1)}


def test_a_lost_word_loses_its_phones():
    assert errors(("she saw it", "she saw")) == {
        ("ɪ", "initial"): (1, {}, 0),
        ("t", "final"): (1, {}, 0),
    }
    assert set(errors(("it", ""))) == {("ɪ", "initial"), ("t", "final")}


def test_words_that_sound_alike_and_other_word_boundaries_are_no_errors():
    assert not errors(("threefold over there", "three fold over their"))


def test_equal_words_beside_an_error_have_none():
    # together, espeak-ng pronounces "the apple" and "of the" differently
    assert set(errors(("of the apple", "of the maple"))) <= {
        ("æ", "initial"),
        ("eɪ", "medial"),
        ("m", "initial"),
    }


def test_phones_of_another_language():
    assert errors(("ein bad", "ein rad"), voice="de") == {
        ("b", "initial"): (1, {"r": 1}, 0)
    }


def test_the_voice_is_the_front_ends_if_it_fits():
    assert find_voice("en") == "en-us" and find_voice("de") == "de"
    assert find_voice("en", "en-gb") == "en-gb"
    assert find_voice("de", "en-us") == "de"


def test_languages_without_voice_or_spaces_are_refused():
    with pytest.raises(ConfigError, match="words of ja are not spaced"):
        find_voice("ja")
    with pytest.raises(ConfigError, match="voice 'xx': espeak-ng has no such language"):
        find_voice("xx")


TEXTS = {"a": "Thin men, thick walls.", "b": "25 thorns"}


@pytest.fixture
def lines():
    transcripts = {
        "reference": ("Thin men fick walls", "twenty-five thorns"),
        "student": ("Fin men, fick walls", "25 horns"),
    }
    scores = [
        Score(utt, row, hypothesis=text)
        for row, texts in transcripts.items()
        for utt, text in zip(TEXTS, texts)
    ]
    return phone_table.count(scores, TEXTS, "en", "en-us")


def test_text_and_transcript_are_normalized(lines):
    wrong = [line for line in lines if line.system == "reference" and line.errors]
    assert [(one.phone, one.count, one.correct) for one in wrong] == [("θ", 3, 2)]


def test_the_excess_over_the_recordings_is_shown(lines):
    table = phone_table.largest_excess(lines)
    assert [cells[0] for cells in table.values()] == [
        *("student", "θ", "initial", "3", "3", "1"),
        "f 2, h 1",
    ]
    assert len(table["Phone"]) == 1
    only_recordings = [line for line in lines if line.system == "reference"]
    assert phone_table.largest_excess(only_recordings) == {}


def test_at_most_ten_phones_of_a_system_are_shown():
    text = "pin bin tin din kin fin sin shin chin gin win thin"
    scores = [Score("a", "reference", hypothesis=text)]
    scores += [Score("a", name, hypothesis="") for name in ("one", "two")]
    table = phone_table.largest_excess(
        phone_table.count(scores, {"a": text}, "en", "en-us")
    )
    assert table[""] == 10 * ["one"] + 10 * ["two"]
    assert table["Phone"][:2] == ["n", "ɪ"] or table["Phone"][:2] == ["ɪ", "n"]


def test_the_file_is_read_as_it_was_written(lines, tmp_path):
    phone_table.write(tmp_path, lines)
    header, first = (tmp_path / "phones.csv").read_text().splitlines()[:2]
    assert header.startswith("system,phone,position,count,correct,substituted")
    assert first.startswith("reference,")
    assert phone_table.read(tmp_path) == lines


def test_an_earlier_file_is_removed(lines, tmp_path):
    phone_table.write(tmp_path, lines)
    phone_table.write(tmp_path, [])
    assert phone_table.read(tmp_path) == []


@pytest.mark.parametrize("old, new", [("system,", "who,"), (",3,", ",three,")])
def test_a_damaged_file_is_refused(lines, tmp_path, old, new):
    phone_table.write(tmp_path, lines)
    path = tmp_path / "phones.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConfigError, match="phones.csv: .*evaluate again") as error:
        phone_table.read(tmp_path)
    assert "\n" not in str(error.value)


def test_without_espeak_the_phones_are_left_out(lines, monkeypatch, capsys):
    from espnet_distill.data.front_end import FrontEnd
    from espnet_distill.evaluation.evaluate import _count_phones
    from espnet_distill.voice import espeak

    monkeypatch.setattr(espeak, "provide_espeak", lambda: None)
    monkeypatch.setattr(espeak.ctypes.util, "find_library", lambda name: None)
    monkeypatch.delenv(espeak.LIBRARY, raising=False)
    espeak.load_espeak.cache_clear()
    try:
        assert _count_phones([], {}, "en", FrontEnd()) == []
    finally:
        espeak.load_espeak.cache_clear()
    message = (
        "skipped: phones.csv: espeak-ng: not installed; pip install espeakng-loader"
    )
    assert capsys.readouterr().err.splitlines() == [message]
