"""Voice: its samples are those of the graph, for each option; bad voices."""

import io
import os
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest

from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError
from espnet_distill.voice import Voice
from espnet_distill.voice.audio import wav_header
from espnet_distill.voice.normalization import normalize
from espnet_distill.voice.phonemes import SPACE, phonemize
from espnet_distill.voice.synthesize import read_text
from espnet_distill.voice.voice import PAUSE

from .tiny import HOP, RATE, RECORDED, STEP, expected, make_voice

PIECES = {"context": 3, "chunk": 8}
SILENCE = np.zeros(int(PAUSE * RATE), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_voice(tmp_path_factory.mktemp("voices") / "voice")


@pytest.fixture(scope="module")
def voice(folder):
    return Voice(folder)


def same(wave, *parts):
    np.testing.assert_array_equal(wave, np.concatenate(parts))


def test_one_sentence(voice):
    wave = voice.synthesize("it is us.")
    assert wave.dtype == np.float32 and voice.sample_rate == RATE
    same(wave, expected("it is us."))


def test_sentences_come_one_at_a_time_with_a_pause_between_them(voice):
    stream = voice.stream("it is us. Who? (We are, Dr. no.)")
    sentences = [expected(one) for one in ("it is us.", "Who?", "We are, Doctor no.")]
    pieces = [sentences[0], SILENCE, sentences[1], SILENCE, sentences[2]]
    for piece in pieces:
        same(next(stream), piece)
    assert next(stream, None) is None
    same(voice.synthesize("ab. Cd.", pause=0), expected("ab."), expected("Cd."))


def test_text_is_normalized(voice):
    same(voice.synthesize("$5!"), expected("five dollars!"))


def test_speed_noise_and_their_limits(voice):
    same(voice.synthesize("ab", speed=2), expected("ab", speed=2))
    same(voice.synthesize("ab", noise_scale=0), expected("ab", noise=0))
    for options in ({"speed": 0}, {"speed": np.nan}, {"noise_scale": -1}):
        with pytest.raises(ConfigError, match="expected"):
            voice.synthesize("ab", **options)


def test_the_scales_of_the_voice(tmp_path):
    scales = {"noise_scale": 0.0, "length_scale": 2, "noise_w": 0.25}
    voice = Voice(make_voice(tmp_path, inference=scales))
    same(voice.synthesize("ab"), expected("ab", speed=0.5, noise=0))


def test_speakers(tmp_path):
    voice = Voice(make_voice(tmp_path, speakers=("ann", "bob")))
    assert voice.speakers == ["ann", "bob"]
    same(voice.synthesize("ab", speaker="bob"), expected("ab", sid=1))
    same(voice.synthesize("ab"), expected("ab", sid=0))
    unnamed = Voice(make_voice(tmp_path, speakers=("a", "b"), speaker_id_map=None))
    same(unnamed.synthesize("ab", speaker="1"), expected("ab", sid=1))


def test_phonemes_as_they_are(voice):
    given = voice.synthesize("it is. us\nno", phonemes=True)
    sentences = ("it is.", "us", "no")
    parts = [part for one in sentences for part in (SILENCE, expected(one))]
    same(given, *parts[1:])


def test_tokens_of_a_front_end_of_espnet(tmp_path):
    ids = {symbol: [id] for id, symbol in enumerate(["_", "^", "$", " ", "AH0", "B"])}
    changes = {"phoneme_type": "ids", "phoneme_id_map": ids}
    voice = Voice(make_voice(tmp_path, **changes))
    same(voice.synthesize("AH0 <space> B", phonemes=True), expected(". ,"))


def test_letters_in_the_case_of_the_voice(tmp_path):
    ids = {char: [id] for id, char in enumerate("_^$ .,?!ABC")}
    voice = Voice(make_voice(tmp_path, phoneme_id_map=ids))
    same(voice.synthesize("a CAB."), expected("a cab."))


LETTERS = {  # token type: letters of a voice that has `öй가が`, `o` and U+0308
    "char": [*"йö가がö.o"],
    "phn": [*"И\u0306o\u0308\u1100\u1161か\u3099o\u0308.o"],
}


@pytest.mark.parametrize("token_type", LETTERS)
def test_composed_letters(token_type, tmp_path):
    """Those of a training of letters; clients of Piper's voices take them apart."""
    ids = {char: [id] for id, char in enumerate("_^$ .oöй가が\u0308")}
    changes = {"phoneme_id_map": ids, "front_end": {"token_type": token_type}}
    voice = Voice(make_voice(tmp_path, language=None, **changes))
    text = "ЙÖ가がo\u0308.O"
    assert voice.phonemize(text) == [LETTERS[token_type]]
    assert list(voice._front_end.given_phonemes(text)) == [LETTERS[token_type]]


def test_a_long_sentence_is_cut_at_the_clause_mark_next_to_its_middle(voice):
    clause = ("ab " * 49).strip()
    text = ", ".join([clause] * 4) + "."
    halves = (f"{clause}, {clause},", f"{clause}, {clause}.")
    same(voice.synthesize(text), *map(expected, halves))


def test_phonemes_without_an_id_are_left_out_with_one_warning(folder, caplog):
    voice = Voice(folder)
    same(voice.synthesize("aʒb aʒ", phonemes=True), expected("ab a"))
    (record,) = caplog.records
    assert "no id for 'ʒ': left out" in record.getMessage()


def test_a_voice_of_espeak_phonemes(tmp_path):
    pytest.importorskip("espeakng_loader")
    ids = {char: [0] for char in "_^$ "} | {"ɪ": [1], "t": [2], "ˈ": [3, 4]}
    changes = {"phoneme_type": None, "phoneme_id_map": ids, "format_version": None}
    voice = Voice(make_voice(tmp_path, **changes))
    sentences = ("It's $5.", "Is it?")
    words = [normalize(one, "en") for one in sentences]
    assert voice.phonemize(" ".join(sentences)) == list(map(phonemize, words))
    assert voice.ids(["ˈ", "ɪ", SPACE]) == [0, 0, 3, 4, 0, 1, 0, 0, 0, 0]


def test_a_stream_in_pieces_of_a_sentence(tmp_path):
    """Each frame has the index and the cycles that it has in the whole sentence."""
    voice = Voice(make_voice(tmp_path, streaming=PIECES))
    pieces = list(voice.stream("it is us.", noise_scale=2))
    whole = expected("it is us.", noise=2)
    frames = len(whole) // HOP
    sizes = [8] * (frames // 8) + [frames % 8] * (frames % 8 > 0)
    assert [len(piece) // HOP for piece in pieces] == sizes and len(sizes) > 2
    times = 2 * STEP * np.repeat(np.arange(frames), HOP)
    np.testing.assert_allclose(np.concatenate(pieces), whole + times, atol=1e-6)
    same(voice.synthesize("it is us."), expected("it is us."))
    both = np.concatenate(list(voice.stream("it. Us.", noise_scale=2)))
    assert len(both) == len(expected("it.")) + len(SILENCE) + len(expected("Us."))


def test_a_voice_of_piper_is_a_file(folder, tmp_path):
    for suffix in (".onnx", ".onnx.json"):
        content = (folder / f"voice{suffix}").read_bytes()
        (tmp_path / f"en_US-joe{suffix}").write_bytes(content)
    same(Voice(tmp_path / "en_US-joe.onnx").synthesize("ab"), expected("ab"))


def change_graph(folder):
    content = (folder / "voice.onnx").read_bytes()
    (folder / "voice.onnx").write_bytes(content.replace(b"tiny", b"tinx"))


BROKEN = {
    "no graph for a stream": (
        {"streaming": PIECES},
        lambda p: (p / "acoustic.onnx").unlink(),
        "acoustic.onnx: no such file; name the voice's whole folder",
    ),
    "pieces of no frames": (
        {"streaming": PIECES | {"chunk": 0}},
        None,
        "streaming.chunk: 0 is not valid",
    ),
    "a changed graph": (
        {"files": RECORDED},
        change_graph,
        "voice.onnx: was changed after the export",
    ),
    "no rate": ({"audio": {}}, None, "audio.sample_rate: missing"),
    "a rate of 0": (
        {"audio": {"sample_rate": 0}},
        None,
        "audio.sample_rate: 0 is not valid",
    ),
    "a list": ({"audio": []}, None, "audio: no mapping"),
    "a large id": (
        {"num_symbols": 5},
        None,
        "phoneme_id_map.',': [5]: expected ids below num_symbols, 5",
    ),
    "no padding": (
        {"phoneme_id_map": {"a": [1]}},
        None,
        "phoneme_id_map: '_' is missing",
    ),
    "speakers without an input": (
        {"num_speakers": 2},
        None,
        "its inputs are input, input_lengths, scales, not input, input_lengths, ",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_voice_is_refused_in_one_line(case, tmp_path, capfd):
    changes, spoil, message = BROKEN[case]
    folder = make_voice(tmp_path / "voice", **changes)
    if spoil:
        spoil(folder)
    out = tmp_path / "out.wav"
    assert main(["synthesize", str(folder), "ab", "--out", str(out)]) == 2
    printed, line = capfd.readouterr()
    assert line.startswith("espnet-distill synthesize: error: ") and not printed
    assert line.count("\n") == 1 and message in line
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["", "--out", "x.wav"], "text '': has nothing to synthesize"),
        (["ab", "--out", "no/x.wav"], "--out: no/x.wav: name a file in a folder that"),
        (["ab", "--out", "."], "--out: .: name a file"),
        (["ab", "--out", "x.wav", "--speaker", "ann"], "speaker 'ann': "),
        (["ab", "--out", "x.wav", "--threads", "0"], "--threads: 0: expected 1 or"),
    ],
)
def test_bad_arguments(arguments, message, folder, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(["synthesize", str(folder), *arguments]) == 2
    _, line = capfd.readouterr()
    assert message in line and line.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_unknown_speaker(tmp_path):
    voice = Voice(make_voice(tmp_path, speakers=("ann", "bob")))
    with pytest.raises(ConfigError, match="speaker 'anna': .* near: ann"):
        voice.synthesize("ab", speaker="anna")


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def pcm(samples):
    return (samples * 32767).round().astype("<i2")


def test_a_file_of_a_file(folder, tmp_path, capsys):
    (tmp_path / "two.txt").write_text("it is\nus.\n\nwho\n", encoding="utf-8")
    arguments = [str(folder), str(tmp_path / "two.txt"), "--out"]
    assert main(["synthesize", *arguments, str(tmp_path / "x.wav")]) == 0
    parts = (expected("it is us."), SILENCE, expected("who"))
    same(read_wav(tmp_path / "x.wav"), *map(pcm, parts))
    assert "x.wav: 0." in capsys.readouterr().out
    assert main(["synthesize", *arguments, str(tmp_path / "x.raw"), "--raw"]) == 0
    raw = np.frombuffer((tmp_path / "x.raw").read_bytes(), "<i2")
    same(read_wav(tmp_path / "x.wav"), raw)


def test_a_long_text_is_written_a_sentence_at_a_time(folder, tmp_path):
    text = "\n\n".join(["abcdefghij" * 5] * 1000)
    (tmp_path / "book.txt").write_text(text, encoding="utf-8")
    source, out = (str(tmp_path / name) for name in ("book.txt", "x.wav"))
    tracemalloc.start()
    try:
        assert main(["synthesize", str(folder), source, "--out", out]) == 0
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = (tmp_path / "x.wav").stat().st_size
    assert peak < size / 4
    assert len(read_wav(tmp_path / "x.wav")) == (size - 44) / 2


def test_the_header_of_a_file_of_more_than_4_gib():
    assert wav_header(RATE, 2**33) == wav_header(RATE)


def test_a_pipe_or_a_device_is_written_to(folder, tmp_path, capfd):
    """A file of its name would wait for no reader, or stand in the way of /dev/null."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    arguments = ["synthesize", str(folder), "ab", "--raw", "--out"]
    assert main([*arguments, str(tmp_path / "pipe")]) == 0
    same(np.frombuffer(os.read(reader, 99999), "<i2"), pcm(expected("ab")))
    os.close(reader)
    assert os.listdir(tmp_path) == ["pipe"] and (tmp_path / "pipe").is_fifo()
    assert not capfd.readouterr().out  # which may be the pipe
    with open(tmp_path / "x.raw", "wb") as file:
        assert main([*arguments, f"/dev/fd/{file.fileno()}"]) == 0
    same(np.frombuffer((tmp_path / "x.raw").read_bytes(), "<i2"), pcm(expected("ab")))


@pytest.mark.parametrize(
    "text", ["я" * 200, "я" * 255 + ".txt да", "a/" * 3000, "a\0b"]
)
def test_a_text_that_no_file_can_be_called(text):
    assert read_text(text) == text


def test_a_byte_order_mark_is_no_text(tmp_path, monkeypatch):
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbfMr. No.")
    assert read_text(str(tmp_path / "x.txt")) == "Mr. No."
    monkeypatch.setattr("sys.stdin", io.StringIO("\ufeffMr. No."))
    assert read_text("-") == "Mr. No."


@pytest.mark.parametrize("surrogate", ["\udce9", "\ud800"])
def test_text_that_is_not_utf8_is_refused(surrogate, monkeypatch):
    with pytest.raises(ConfigError) as caught:
        read_text(f"caf{surrogate}")
    code = f"\\u{ord(surrogate):x}"
    assert str(caught.value) == f"caf{code}: cannot be read: it is not UTF-8"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"caf{surrogate}"))
    with pytest.raises(ConfigError, match="^-: cannot be read: it is not UTF-8$"):
        read_text("-")


def test_a_stream(folder, tmp_path, capfdbinary):
    arguments = ["synthesize", str(folder), "it is us. Who?", "--out", "-"]
    samples = np.concatenate([expected("it is us."), SILENCE, expected("Who?")])
    assert main(arguments) == 0
    content = capfdbinary.readouterr().out
    same(np.frombuffer(content[44:], "<i2"), pcm(samples))
    assert content[:4] == b"RIFF" and content[24:28] == RATE.to_bytes(4, "little")
    assert main([*arguments, "--raw"]) == 0
    assert capfdbinary.readouterr().out == content[44:]
