"""Metadata files in different notations, and errors with line numbers."""

import codecs

import numpy as np
import pytest
import soundfile

from espnet_distill.cli import main as cli
from espnet_distill.data.metadata import read_clips, read_prompts, read_transcription
from espnet_distill.errors import ConfigError


@pytest.fixture
def corpus(tmp_path):
    """A function that makes a corpus in LJSpeech's layout."""

    def make(metadata, *recordings):
        (tmp_path / "wavs").mkdir()
        for name in recordings:
            path = tmp_path / "wavs" / name
            soundfile.write(path, np.zeros(100), 16000, format="WAV")
        content = metadata if isinstance(metadata, bytes) else metadata.encode()
        (tmp_path / "metadata.csv").write_bytes(content)
        return tmp_path

    return make


TWO = [("a1", "one two"), ("b2", "three")]


@pytest.mark.parametrize(
    "metadata",
    [
        "b2|Three.|three\na1|One, two.|one two\n",
        "b2|three\na1|one two",
        codecs.BOM_UTF8 + b"b2|three\r\na1|one two\r\n",
        "\nb2| three\n\n  \na1 |one\u2028two \n",
        "b2|three\na1|one\x0b\x85 two\n",
        "b2.wav|three\na1.wav|one two\n",
    ],
    ids=["three fields", "two", "BOM and CRLF", "blank lines", "odd spaces", "suffix"],
)
def test_lines_of_any_editor_are_the_same_clips(metadata, corpus):
    clips = read_clips(corpus(metadata, "a1.wav", "b2.WAV"))
    assert [(clip.utterance, clip.text) for clip in clips] == TWO
    assert [clip.audio.name for clip in clips] == ["a1.wav", "b2.WAV"]


def test_an_id_is_no_pattern_and_a_sidecar_is_no_audio(corpus):
    folder = corpus("a[1]|one\na1|two\n*|three\n", "a[1].wav", "a1.wav", "*.wav")
    for name in ("a1.txt", "a1.lab", "._a1.wav"):
        (folder / "wavs" / name).write_text("two")
    found = {clip.utterance: clip.audio.name for clip in read_clips(folder)}
    assert found == {"*": "*.wav", "a1": "a1.wav", "a[1]": "a[1].wav"}


def test_the_order_is_that_of_bytes(corpus):
    names = ["a_1", "a-1", "a1", "B1", "\xe4"]
    metadata = "".join(f"{name}|x\n" for name in names)
    folder = corpus(metadata, *(f"{name}.wav" for name in names))
    found = [clip.utterance.encode() for clip in read_clips(folder)]
    assert found == sorted(name.encode() for name in names)


REFUSED = {
    "an id twice": ("a1|one\n\na1|two\n", "line 3: id 'a1' repeats the id of "),
    "no text": ("b2|x\na1|one|\n", "line 2: has no text; add it, or remove"),
    "no id": ("|one\n", "line 1: id '': expected one word"),
    "an id of two words": ("a 1|one\n", "line 1: id 'a 1': expected one word; rename"),
    "a path": ("../a1|one\n", "line 1: id '../a1': is no file name; use ids"),
    "a hidden file": (".a1|one\n", "line 1: id '.a1': is no file name; use ids"),
    "an odd id": (
        "a\u200b1|one\n",
        "is no file name; take ids without / and unprintable characters",
    ),
    "a control character": ("a1|on\0e\n", "line 1: its text has the control char"),
    "no bar": ("a1 one\n", "line 1: has 1 fields, expected id|text or id|text|norm"),
    "a bar in a text": ("a1|one|two|three\n", "line 1: has 4 fields, expected"),
    "no recording": ("a1|one\nc3|two\n", "line 2: expected one recording of 'c3' in "),
    "two recordings": ("d4|one\n", "found d4.flac, d4.wav"),
    "Latin-1": ("a1|Stra\xdfe\n".encode("latin-1"), "line 1 is not UTF-8; save it"),
    "nothing": ("\n \n", "lists no recordings"),
    "speakers": (
        "a1|mary|x\nb2|john|y\nc3|mary|z\nd4|john|x\n",
        "its second field seems to be a speaker (john, mary); write the lines of one",
    ),
}


@pytest.mark.parametrize("metadata, line", REFUSED.values(), ids=REFUSED)
def test_invalid_metadata_is_refused_in_one_line(metadata, line, corpus):
    folder = corpus(metadata, "a1.wav", "b2.wav", "d4.wav", "d4.flac")
    with pytest.raises(ConfigError) as caught:
        read_clips(folder)
    (fault,) = caught.value.faults
    assert fault.startswith(str(folder)) and line in fault


def test_an_empty_recording_is_named(corpus):
    folder = corpus("a1|one\n", "a1.wav")
    soundfile.write(folder / "wavs/a1.wav", [], 16000)
    with pytest.raises(ConfigError, match="a1.wav: a1: is empty; leave the utterance"):
        read_clips(folder)


def test_the_first_ten_faults_are_given(corpus):
    folder = corpus("".join(f"a{number}|\n" for number in range(30)))
    with pytest.raises(ConfigError) as caught:
        read_clips(folder)
    assert len(caught.value.faults) == 10
    assert "line 10: has no text" in caught.value.faults[-1]


def test_last_of_several_takes_is_used(tmp_path):
    (tmp_path / "data").mkdir()
    texts = {"b_2": "late\n", "b_1": "early", "a_x_7": "\ufeff other "}
    for name, text in texts.items():
        (tmp_path / "data" / f"{name}.txt").write_text(text)
        soundfile.write(tmp_path / "data" / f"{name}.wav", np.zeros(9), 16000)
    found = [(one.utterance, one.text, one.audio.name) for one in read_clips(tmp_path)]
    assert found == [("a_x", "other", "a_x_7.wav"), ("b", "late", "b_2.wav")]


def test_a_transcription_and_prompts(tmp_path):
    path = tmp_path / "lines"
    path.write_text("<s> A B </s> (u-1)\nTWO (AND A HALF) (u-2)\r\n\n")
    found = [(line.utterance, line.text) for line in read_transcription(path)]
    assert found == [("u-1", "A B"), ("u-2", "TWO (AND A HALF)")]
    path.write_text("\ufeffu1 Some words.\n\nu2\tMore.\n")
    found = [(line.utterance, line.text) for line in read_prompts(path)]
    assert found == [("u1", "Some words."), ("u2", "More.")]
    path.write_text("u1 Some words.\nu2\n")
    with pytest.raises(ConfigError, match="line 2: has no text"):
        read_prompts(path)


def test_metadata_and_recordings_in_any_place(corpus, tmp_path):
    folder = corpus("a1|one\n", "a1.wav")
    lines = (folder / "metadata.csv").rename(tmp_path / "lines.txt")
    (found,) = read_clips(lines)
    assert found.audio == folder / "wavs/a1.wav"
    (folder / "wavs").rename(tmp_path / "audio")
    (found,) = read_clips(lines, tmp_path / "audio")
    assert found.audio == tmp_path / "audio/a1.wav"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: has no recordings"):
        read_clips(lines, tmp_path / "empty")


def test_the_command_writes_a_data_folder(corpus, tmp_path, capsys):
    folder, out = corpus("b2|three\na1|one two\n", "a1.wav", "b2.wav"), tmp_path / "out"
    command = ["list-clips", str(folder), str(out), "--speaker"]
    assert cli.main([*command, "some one"]) == 2 and not out.exists()
    assert cli.main([*command, "someone"]) == 0
    assert (out / "text").read_text() == "a1 one two\nb2 three\n"
    assert (out / "utt2spk").read_text() == "a1 someone\nb2 someone\n"
    wavs = (out / "wav.scp").read_text()
    assert wavs == f"a1 {folder}/wavs/a1.wav\nb2 {folder}/wavs/b2.wav\n"
