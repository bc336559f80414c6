"""The command, the folder that it writes, and clients as they come from PyPI."""

import importlib.util
import json
import shutil
import subprocess
import sys
import unicodedata
from argparse import Namespace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_distill import Experiment, export
from espnet_distill.cli.main import main
from espnet_distill.data.front_end import FrontEnd
from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.cleaner import cleaner_warnings
from espnet_distill.onnx_export.export import TOKENS
from espnet_distill.onnx_export.front_end import choose_front_end
from espnet_distill.onnx_export.lexicon import lexicon_lines, read_words
from espnet_distill.onnx_export.phoneme_ids import padded, phoneme_ids
from espnet_distill.onnx_export.speakers import (
    Speakers,
    conditions_of,
    named_speakers,
)
from espnet_distill.onnx_export.web import page
from espnet_distill.onnx_export.web.runtime import WebRuntime
from espnet_distill.utils.files import cache_folder
from espnet_distill.vocoders import build_vocoder
from espnet_distill.voice import Voice
from espnet_distill.voice.graph import open_session
from espnet_distill.voice.phonemes import phonemize
from espnet_distill.voice.voice import GRAPH

from ..conftest import (
    FASTSPEECH,
    FASTSPEECH2,
    global_mvn,
    make_experiment,
    write_stats,
)
from ..conftest import TOKENS as LETTERS
from ..students.test_one_speaker import write_embeddings
from ..vocoders.test_distilled import FEATURES, LATENTS, save
from .clients import SHERPA, without_torch

KATHLEEN = Path(__file__).parents[2] / "egs/kathleen/tts1/pretrained"
IPA = "ˈɪːntdɹslə" + "i.æamðˌzʌɛʊkhwfɔupvbeɚʃoɑ,ɐɡŋɜᵻjʒɾθʔ̩"
PHONEMES = ["<blank>", "<unk>", "<space>", *IPA, "<sos/eos>"]
ENGLISH = {"token_type": "phn", "g2p": "espeak_ng_english_us_vits"}
TEXT = "Hello world, this is a test."


def make_pair(folder, latents=None, **changes):
    """Write a tiny experiment and a vocoder of its mels, or of latents."""
    folder.mkdir(exist_ok=True)
    stats = write_stats(
        folder / "feats.npz", torch.arange(20.0) - 8, torch.full((20,), 2)
    )
    conf = {"tts_conf": FASTSPEECH2, "feats_extract_conf": FEATURES}
    conf |= {"token_list": PHONEMES, **ENGLISH, **global_mvn(feats=stats)}
    experiment = make_experiment(folder / "exp", **(conf | changes))
    checkpoint = experiment / "train.loss.ave.pth"
    state = torch.load(checkpoint, weights_only=True)
    state["tts.duration_predictor.linear.bias"].fill_(1.5)
    torch.save(state, checkpoint)
    (folder / "vocoder").mkdir()
    vocoder, _ = save(folder / "vocoder", "harmonic_istft_generator", latents=latents)
    state = torch.load(vocoder, weights_only=True)
    state["tts.generator.filters.bias"] -= 3  # else the waveform exceeds 1
    torch.save(state, vocoder)
    return experiment, vocoder


@pytest.mark.parametrize("reduction_factor", [1, 2])
def test_a_student_of_latents(reduction_factor, tmp_path):
    """The voice equals the pair in PyTorch, in pieces, too."""
    conf = FASTSPEECH | {"reduction_factor": reduction_factor}
    changes = {"tts": "fastspeech", "tts_conf": conf, "odim": 20}
    experiment, vocoder = make_pair(tmp_path, LATENTS, **changes)
    out = tmp_path / "voice"
    exported = export(experiment, out, vocoder=vocoder, streaming=True)
    assert exported.settings["equality"]["wave"] <= 1e-4
    assert exported.settings["equality"]["stream"] <= 1e-4
    assert exported.settings["hop_length"] == LATENTS.hop_length
    assert "| Text to latents | `fastspeech`" in (out / "MODEL_CARD.md").read_text()
    assert exported.settings["audio"] == {"sample_rate": LATENTS.fs}
    shutil.rmtree(tmp_path / "vocoder")
    (tmp_path / "vocoder").mkdir()
    mel, _ = save(tmp_path / "vocoder", "harmonic_istft_generator")
    with pytest.raises(ConfigError, match="odim: 20: its features come with its data"):
        export(experiment, tmp_path / "other", vocoder=mel)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def voice(pair, tmp_path_factory):
    """A voice in fp32, by the command."""
    experiment, vocoder = pair
    out = tmp_path_factory.mktemp("voices") / "voice"
    options = [
        "--vocoder",
        vocoder,
        "--weights",
        "fp32",
        "--streaming",
        "--sample",
        TEXT,
        "Again.",
    ]
    options += ["--license", "CC0", "--corpus", "tiny"]
    words = out.with_name("words.txt")
    words.write_text("Hello world, hello world's well-known 3 q\n")
    options += ["--lexicon", words]
    arguments = ["export", experiment, out, *options]
    assert main(list(map(str, arguments))) == 0
    return Voice(out)


def settings_of(voice):
    return json.loads(voice.config.path.read_text())


def play(voice, tokens, **options):
    wave, _ = voice.synthesize_ids(padded(tokens), **options)
    return wave


def test_the_folder(voice):
    names = {path.name for path in voice.path.parent.iterdir()}
    assert names == {
        *(GRAPH, f"{GRAPH}.json", TOKENS, "MODEL_CARD.md", "samples"),
        *("lexicon.txt", "lexicon_tokens.txt"),
        *("acoustic.onnx", "vocoder.onnx"),
    }
    settings = settings_of(voice)
    assert settings["equality"]["wave"] <= 1e-4
    assert settings["espeak"] == {"voice": "en-us"} and settings["num_speakers"] == 1
    assert settings["phoneme_id_map"][" "] == [2]
    assert settings["phoneme_id_map"][";"] == settings["phoneme_id_map"][","]
    lines = (voice.path.parent / TOKENS).read_text().splitlines()
    assert lines[:4] == ["_ 0", "^ 0", "$ 0", "  2"]
    assert len({line.rpartition(" ")[0] for line in lines}) == len(lines)
    inputs = [
        (one.name, one.type, one.shape) for one in open_session(voice.path).get_inputs()
    ]
    assert inputs == [
        ("input", "tensor(int64)", [1, "ids"]),
        ("input_lengths", "tensor(int64)", [1]),
        ("scales", "tensor(float)", [3]),
    ]
    for number in (1, 2):
        wave, rate = soundfile.read(voice.path.parent / f"samples/{number}.wav")
        assert rate == 16000 and len(wave) > 1000


OPEN = """
from espnet_distill.voice import Voice
print(len(Voice(sys.argv[1]).synthesize_ids(range(2, 40))[0]))
"""


def test_a_voice_needs_no_torch(voice):
    samples = without_torch(OPEN, voice.path.parent, path=[Path(__file__).parents[2]])
    assert int(samples) == len(play(voice, range(2, 40)))


def test_a_voice_in_pieces(voice):
    tokens = list(range(2, 40))
    pieces = list(voice.stream_ids(padded(tokens), speed=0.7))
    whole = play(voice, tokens, speed=0.7)
    assert len(pieces) > 2 and settings_of(voice)["equality"]["stream"] <= 1e-4
    assert abs(np.concatenate(pieces) - whole).max() <= 1e-4


def test_the_lexicon(voice):
    lines = (voice.path.parent / "lexicon.txt").read_text().splitlines()
    assert lines[0] == "hello ▁ h ə l ˈ o ʊ"
    words = [line.partition(" ")[0] for line in lines]
    assert words == ["hello", "world", "world's", "well", "known", "q"]


def test_words_are_phonemized_as_between_others():
    """Weak forms, the pronoun I, numbers in words, and dashes as pauses."""
    content = ["mountain", "garden", "tables", "winter", "bottle", "summer"]
    words = [*content, "a", "i", "his", "to", "1999", "—", "@"]
    lines = lexicon_lines(words, "en-us", "en", {*PHONEMES, ";"})
    found = dict(line.rstrip().split(" ", 1) for line in lines)
    shown = {word: line.replace(" ", "") for word, line in found.items()}
    weak = {"a": "▁ɐ", "i": "▁aɪ", "his": "▁hɪz", "to": "▁tə", "—": ";"}
    assert weak.items() <= shown.items()
    assert shown["garden"] == "▁" + "".join(phonemize("garden"))
    assert shown["1999"] == "▁nˈaɪntiːn▁nˈaɪntinˈaɪn"


def test_words_of_a_lexicon_keep_combining_marks(tmp_path):
    """Vowel signs of Hindi are no word characters of Python; accents are composed."""
    text = unicodedata.normalize("NFD", "नमस्ते, Café don't مَرحبًا ten-year")
    (tmp_path / "words").write_text(text, encoding="utf-8")
    words = ["नमस्ते", "café", "don't", "مَرحبًا", "ten", "year"]
    assert read_words(str(tmp_path / "words"), "hi") == words


def test_the_card(voice, pair):
    card = (voice.path.parent / "MODEL_CARD.md").read_text()
    experiment, _ = pair
    for value in (
        *Experiment(experiment).identity.values(),
        *("| Corpus | tiny |", "| License | CC0 |", "espeak_ng_english_us_vits"),
        *("HarmonicISTFTGenerator", "fastspeech2", "| espeak-ng voice | en-us |"),
    ):
        assert value in card


def test_a_voice_synthesizes_what_espnet_does(voice, pair):
    experiment, vocoder_file = map(Path, pair)
    opened = Experiment(experiment)
    tokens = opened.front_end("a", {"text": TEXT})["text"]
    vocoder = build_vocoder(vocoder_file, model=opened.model)
    with torch.no_grad():
        options = {"use_teacher_forcing": False, "alpha": 1.0}
        mels = opened.model.inference(torch.tensor(tokens), **options)
        expected = vocoder(mels["feat_gen_denorm"]).numpy()
    wave = play(voice, tokens) / settings_of(voice)["gain"]
    assert wave.shape == expected.shape and abs(wave - expected).max() <= 1e-4


@pytest.mark.parametrize("weights", ["fp16", "int8"])
def test_weights_are_stored_smaller(voice, pair, tmp_path, weights):
    experiment, vocoder = pair
    made = export(experiment, tmp_path / "voice", vocoder=vocoder, weights=weights)
    exact = settings_of(voice)
    size = made.settings["files"][GRAPH]["bytes"]
    assert size < 0.75 * exact["files"][GRAPH]["bytes"]
    assert made.settings["equality"]["wave"] == exact["equality"]["wave"]
    if weights == "fp16":
        tokens = range(2, 40)
        one, other = play(Voice(made.folder), tokens), play(voice, tokens)
        assert one.shape == other.shape
        assert made.settings["equality"]["mel"] < 0.05


def test_speakers_by_their_embeddings(tmp_path, monkeypatch, capsys):
    """The voice has the named ones, in this order; the first is the default."""
    monkeypatch.chdir(tmp_path)
    write_embeddings(tmp_path / "dump/xvector/train")
    data = [["dump/xvector/train/xvector.scp", "spembs", "kaldi_ark"]]
    experiment, vocoder = make_pair(
        tmp_path / "pair",
        tts_conf=FASTSPEECH2 | {"spk_embed_dim": 5},
        train_data_path_and_name_and_type=data,
    )
    options = ["--vocoder", str(vocoder), "--weights", "fp32", "--xvector"]
    for out, names in (("two", ["bob", "ann"]), ("one", ["ann"])):
        assert main(["export", str(experiment), out, *options, *names]) == 0
    two, one = Voice("two"), Voice("one")
    assert two.speakers == ["bob", "ann"] and one.speakers == []
    tokens = range(2, 40)
    expected, actual, other = (
        play(voice, tokens, **options) / settings_of(voice)["gain"]
        for voice, options in ((one, {}), (two, {"speaker": "ann"}), (two, {}))
    )
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    assert len(other) != len(expected) or abs(other - expected).max() > 1e-3
    assert main(["export", str(experiment), "no", *options, "anna"]) == 2
    assert "--xvector anna: " in capsys.readouterr().err


def test_speakers_of_a_table(tmp_path):
    """Those that it names; the first one is the default, and not <unk>."""
    experiment, vocoder = make_pair(tmp_path, tts_conf=FASTSPEECH2 | {"spks": 4})
    (tmp_path / "spk2sid").write_text("<unk> 0\nann 1\n3 2\n")
    options = {"vocoder": vocoder, "weights": "fp32"}
    named = export(
        experiment, tmp_path / "named", speakers=tmp_path / "spk2sid", **options
    )
    assert named.settings["speaker_id_map"] == {"ann": 1, "3": 2}
    assert named.settings["num_speakers"] == 4
    (warning,) = named.settings["warnings"]
    assert warning.endswith("take id 0, which is none of the voice's; name ann")
    voice, tokens = Voice(named.folder), range(2, 40)
    default, ann = (play(voice, tokens, speaker=name) for name in (None, "ann"))
    np.testing.assert_array_equal(default, ann)
    unnamed = export(experiment, tmp_path / "unnamed", **options)
    assert unnamed.settings["speaker_id_map"] == {str(id): id for id in range(4)}
    assert not unnamed.settings["warnings"]


def test_the_speakers_of_an_imported_voice(tmp_path):
    (tmp_path / "spk2sid").write_text("<unk> 0\nann 1\n")
    tts, table = Namespace(spks=3), tmp_path / "spk2sid"
    speakers = named_speakers(tts, None, (), "exp", beside=table)
    assert speakers == Speakers({"ann": 1}, 3) and speakers.default == 1
    assert conditions_of(tts, (), "exp", 1)[0]["sids"].tolist() == [1]
    for line, fault in (("<unk> 0\n", "names no speaker"), ("a 3\n", "'3' is no spea")):
        table.write_text(line)
        with pytest.raises(ConfigError, match=fault):
            named_speakers(tts, table, (), "exp")


# Clients


def piper_folder():
    """Return the folder of piper-tts, which is not imported here."""
    found = importlib.util.find_spec("piper")
    assert found, "pip install 'espnet_distill[test]'"
    return Path(found.origin).parent


PIPER = """
import sys, json
import numpy as np
from piper import PiperVoice, SynthesisConfig
voice = PiperVoice.load(sys.argv[1] + "/voice.onnx")
plain = SynthesisConfig(normalize_audio=False)
chunk, = voice.synthesize(sys.argv[3], plain, include_alignments=True)
np.save(sys.argv[2], chunk.audio_float_array)
print(json.dumps([chunk.phoneme_ids, chunk.phoneme_id_samples.tolist(),
                  [one.phoneme for one in chunk.phoneme_alignments]]))
"""


@pytest.fixture(scope="module")
def played_by_piper(voice, tmp_path_factory):
    path = tmp_path_factory.mktemp("piper") / "wave.npy"
    ids, samples, aligned = json.loads(
        without_torch(PIPER, voice.path.parent, path, TEXT)
    )
    return ids, samples, aligned, np.load(path)


def test_piper_plays_a_voice(voice, pair, played_by_piper):
    ids, samples, aligned, wave = played_by_piper
    tokens = [id for id in ids if id]
    assert tokens == Experiment(pair[0]).front_end("a", {"text": TEXT})["text"].tolist()
    assert ids == padded(tokens)
    assert abs(wave - play(voice, tokens)).max() <= 1e-4
    assert sum(samples) == len(wave)
    assert "".join(aligned[1:-1]) == "".join(phonemize(TEXT)).replace("<space>", " ")


@pytest.fixture(scope="module")
def sherpa_1():
    """sherpa-onnx 1.13.8 beside the newest: the last with espeak-ng in it."""
    target = cache_folder() / "clients/sherpa-onnx-1.13.8"
    if not target.is_dir():
        names = ("sherpa-onnx==1.13.8", "sherpa-onnx-core==1.13.8")
        beside = target.with_suffix(".part")
        install = [sys.executable, "-m", "pip", "install", "--no-deps", "-q", *names]
        subprocess.run([*install, "--target", str(beside)], check=True)
        beside.rename(target)
    return target


def test_sherpa_1_plays_a_voice_as_piper_does(
    voice, played_by_piper, sherpa_1, tmp_path
):
    *_, expected = played_by_piper
    data = piper_folder() / "espeak-ng-data"
    arguments = (voice.path.parent, tmp_path / "wave.npy", "1.13.8", TEXT, data)
    without_torch(SHERPA, *arguments, path=[sherpa_1])
    wave = np.load(tmp_path / "wave.npy")
    assert wave.shape == expected.shape and abs(wave - expected).max() <= 1e-4


def test_sherpa_2_plays_a_voice_as_piper_does(voice, played_by_piper, tmp_path):
    *_, expected = played_by_piper
    phonemes = "".join(phonemize(TEXT)).replace("<space>", " ")
    without_torch(SHERPA, voice.path.parent, tmp_path / "wave.npy", "2.", phonemes, "")
    wave = np.load(tmp_path / "wave.npy")
    assert wave.shape == expected.shape and abs(wave - expected).max() <= 1e-4


LEXICON = """
import sys
import numpy as np
import sherpa_onnx as sherpa
folder = sys.argv[1]
vits = sherpa.OfflineTtsVitsModelConfig(
    model=folder + "/voice.onnx", tokens=folder + "/lexicon_tokens.txt",
    lexicon=folder + "/lexicon.txt")
tts = sherpa.OfflineTts(sherpa.OfflineTtsConfig(
    model=sherpa.OfflineTtsModelConfig(vits=vits, num_threads=1), silence_scale=1.0))
np.save(sys.argv[2], np.array(tts.generate(sys.argv[3]).samples, np.float32))
"""


def test_sherpa_2_synthesizes_text_by_the_lexicon(voice, tmp_path):
    """Spaces are where the training has them: before words, not before marks."""
    folder, path = voice.path.parent, tmp_path / "wave.npy"
    lines = (folder / "lexicon.txt").read_text().splitlines()
    words = dict(line.split(" ", 1) for line in lines)
    without_torch(LEXICON, folder, path, "Hello, world! Well, known world's?")
    ids = voice.config.ids | {"▁": voice.config.ids[" "]}
    waves = []
    for sent in (
        (words["hello"], ",", words["world"], "!"),
        (words["well"], ",", words["known"], words["world's"], "?"),
    ):
        tokens = [id for one in " ".join(sent).split() for id in ids[one]]
        waves.append(play(voice, tokens))
    wave, expected = np.load(path), np.concatenate(waves)
    assert wave.shape == expected.shape and abs(wave - expected).max() <= 1e-4


# Front ends


def test_letters_are_text():
    front_end = FrontEnd(token_type="char")
    symbols = phoneme_ids(LETTERS, front_end, None, "exp")
    assert symbols.kind == "text" and symbols.voice is None and not symbols.warnings
    assert symbols.ids["a"] == LETTERS.index("a") and symbols.ids[" "] == 2
    assert set(symbols.dropped) == {0, 1, len(LETTERS) - 1}


def test_letters_that_piper_loses_are_a_warning():
    tokens = ["<blank>", "<unk>", "<space>", *"abäöüéèй", "<sos/eos>"]
    symbols = phoneme_ids(tokens, FrontEnd(token_type="char"), None, "exp")
    assert symbols.warnings == (
        "Piper takes composed letters apart, and loses ä, ö, ü, é, è, …",
    )


def test_a_g2p_that_no_client_has_takes_ids():
    tokens = ["<blank>", "<unk>", "AH0", "B", "<sos/eos>"]
    symbols = phoneme_ids(tokens, FrontEnd(g2p="g2p_en"), None, "exp")
    assert symbols.kind == "ids" and symbols.tokens == [2, 3]
    assert symbols.warnings == (
        "no client has the g2p g2p_en: this voice takes ids only",
    )


def test_prepared_phonemes_need_their_voice():
    symbols = phoneme_ids(PHONEMES, FrontEnd(), None, "exp")
    assert symbols.kind == "ids" and "--espeak-voice" in symbols.warnings[0]
    symbols = phoneme_ids(PHONEMES, FrontEnd(), "de", "exp")
    assert (symbols.kind, symbols.voice, symbols.warnings) == ("espeak", "de", ())


def test_the_voice_of_phonemes_names_their_language(tmp_path):
    """For samples, and for the words of a lexicon."""
    changes = {"g2p": None, "token_type": "phn"}
    experiment = Experiment(make_pair(tmp_path, **changes)[0])
    chosen = choose_front_end(experiment, None, "en-us")
    assert chosen.front_end.language == "en"
    opened = chosen.tokens_of("Hello 5 times.")
    names = [PHONEMES[token] for token in opened]
    assert names == phonemize("Hello five times.")
    with pytest.raises(ConfigError, match="give --data or --espeak-voice, or leave"):
        choose_front_end(experiment, None, None).tokens_of("Hello.")
    with pytest.raises(ConfigError, match="words.txt: "):  # before the vocoder
        options = {"vocoder": "no", "espeak_voice": "en-us"}
        export(experiment, tmp_path / "out", lexicon="words.txt", **options)


def test_a_page_that_cannot_be_written_leaves_nothing(pair, tmp_path, monkeypatch):
    """Else the voice has its name, and its sentence has the page's."""
    experiment, vocoder = pair
    options = {"vocoder": vocoder, "web": WebRuntime("1", b"", b"")}
    made = export(experiment, tmp_path / "anna", samples=["Hello."], **options)
    content = (made.folder / "web/voice.js").read_text()[:2000]
    assert '"name": "anna"' in content and '"text": "Hello."' in content
    monkeypatch.setattr(page, "_packed", Mock(side_effect=OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        export(experiment, tmp_path / "bob", **options)
    assert {path.name for path in tmp_path.iterdir()} == {"anna"}


def test_sentences_that_a_cleaner_changes_are_counted(tmp_path, pair):
    folder = shutil.copytree(pair[0], tmp_path / "exp")
    (tmp_path / "text").write_text("a it is\nb hello\nc it costs $5\n")
    path = folder / "config.yaml"
    data = [[str(tmp_path / "text"), "text", "text"]]
    changes = {"cleaner": "tacotron", "train_data_path_and_name_and_type": data}
    conf = yaml.safe_load(path.read_text()) | changes
    path.write_text(yaml.safe_dump(conf))
    experiment = Experiment(folder)
    front_end = FrontEnd.of(experiment.config)
    for where in (None, tmp_path):
        (warning,) = cleaner_warnings(experiment, front_end, where)
        assert warning.startswith("clients do not apply cleaner tacotron: 2 of 3 sent")
    (tmp_path / "text").unlink()
    (warning,) = cleaner_warnings(experiment, front_end, None)
    assert warning.endswith("a text may get other symbols than in the training")
    assert cleaner_warnings(Experiment(pair[0]), FrontEnd(), None) == []


# What is wrong with a folder


@pytest.mark.parametrize("name", [GRAPH, f"{GRAPH}.json", "vocoder.onnx"])
def test_a_file_is_missing(voice, tmp_path, name):
    copied = shutil.copytree(voice.path.parent, tmp_path / "voice")
    (copied / name).unlink()
    with pytest.raises(ConfigError, match=f"{copied / name}: no such"):
        Voice(copied)


@pytest.mark.parametrize("name", [GRAPH, "vocoder.onnx"])
def test_checksums_are_recorded(voice, tmp_path, name):
    path = shutil.copytree(voice.path.parent, tmp_path / "voice") / name
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(ConfigError, match="was changed after the export"):
        list(Voice(path.parent).stream_ids([3]))
        Voice(path.parent).synthesize_ids([3])
    path.write_bytes(content[:-1])
    with pytest.raises(ConfigError, match=f"{len(content) - 1} bytes, not"):
        Voice(path.parent)


def test_there_is_nothing_to_synthesize(voice):
    with pytest.raises(ConfigError, match="ids: there are none"):
        voice.synthesize_ids([])


# A trained model


def test_kathleen(tmp_path):
    made = export(
        KATHLEEN / "teacher.zip", tmp_path / "voice", vocoder=KATHLEEN / "vocoder"
    )
    assert made.settings["equality"]["wave"] <= 1e-4
    assert made.settings["equality"]["mel"] < 0.01
    assert 15 < made.settings["files"][GRAPH]["bytes"] / 1e6 < 22
    assert not made.settings["warnings"]
    names = [one.name for one in open_session(made.folder / GRAPH).get_inputs()]
    assert names == ["input", "input_lengths", "scales"]


def test_a_list_that_begins_with_pipers_padding_has_its_ids():
    """As of a student of an imported Piper voice; `^` and `$` are no tokens of it."""
    tokens = ["_", "^", "$", "a", "<space>", "<unk>"]
    front_end = FrontEnd(token_type="phn", language="en", voice="en-us")
    made = phoneme_ids(tokens, front_end, None, "exp")
    assert made.ids.items() >= {"_": 0, "^": 0, "$": 0, "a": 3, " ": 4}.items()
    assert made.dropped == (0, 1, 2, 5)
