"""onnxruntime-web from npm: in Node, and the page of a voice in headless Chromium."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.acoustic import FastSpeech2Module
from espnet_distill.onnx_export.graph import VoiceGraph, trace_voice
from espnet_distill.onnx_export.phoneme_ids import padded
from espnet_distill.onnx_export.web.page import write_page
from espnet_distill.onnx_export.web.runtime import (
    MODULE,
    VERSION,
    WebRuntime,
    find_runtime,
)
from espnet_distill.voice import Voice
from espnet_distill.voice.graph import Graph, graph_inputs, input_names

from ..voice.tiny import RATE, expected, make_voice
from .chromium import PROGRAM, Chromium
from .test_equality import FIRST, MODELS, make_graphs, random_model, random_vocoder

READY = "/real time|cannot|failed/.test(byId('status').textContent)"


@pytest.fixture(scope="module")
def runtime():
    try:
        return find_runtime()
    except ConfigError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def page(runtime, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    voice = make_voice(folder / "tiny", speakers=("ann", "bob"))
    (voice / "lexicon.txt").write_text("it ▁ i t\nis ▁ i z\n", encoding="utf-8")
    return write_page(voice, folder / "page", runtime, ["It is us. Who?"])


def test_the_page_is_whole(page, runtime):
    assert runtime.version == VERSION
    names = {path.name for path in page.parent.iterdir()}
    scripts = {"page.js", "runtime.js", "voice.js"}
    assert names == {"index.html", "page.css", "onnxruntime-web.txt", *scripts}


def test_onnxruntime_web_in_node_plays_a_voice(runtime, tmp_path):
    """As onnxruntime does: a FastSpeech2 and a harmonic vocoder of random weights."""
    loaded = random_vocoder("harmonic_istft_generator")
    module = FastSpeech2Module(random_model(*MODELS[FIRST]))
    voice = VoiceGraph(*make_graphs(module, loaded))
    content = trace_voice(voice, padded([2, 3, 4]), 1, "output")
    ids, scales = padded([5, 6, 2, 9, 4, 4, 8]), (0.667, 1.0, 0.8)
    (tmp_path / "graph.onnx").write_bytes(content)
    (tmp_path / "ort.mjs").write_bytes(runtime.module)
    (tmp_path / "ort.wasm").write_bytes(runtime.wasm)
    (tmp_path / "inputs.json").write_text(json.dumps({"ids": ids, "scales": scales}))
    node = shutil.which("node")
    assert node, "install Node.js"
    program = Path(__file__).with_name("play.mjs")
    done = subprocess.run([node, program, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wave = np.fromfile(tmp_path / "wave.f32", "<f4")
    graph = Graph(content, input_names(False))
    expected, _ = graph.synthesize(graph_inputs(ids, scales))
    assert wave.shape == expected.shape and expected.std() > 1e-3
    assert abs(wave - expected).max() <= 1e-4


@pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")
def test_it_synthesizes_without_a_network(page, tmp_path):
    with Chromium(tmp_path / "profile") as browser:
        browser.open(page)
        browser.wait("typeof byId !== 'undefined'")
        browser.wait(READY)
        wave = np.array(browser.evaluate("[...wave]"), np.float32)
        silence = np.zeros(int(0.2 * RATE), np.float32)
        parts = (expected("It is us."), silence, expected("Who?"))
        np.testing.assert_array_equal(wave, np.concatenate(parts))
        for width in (400, 1280):
            browser.resize(width)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
        browser.evaluate("byId('text').value = 'It is, 5!'; readText()")
        assert browser.evaluate("byId('phonemes').value") == "it iz,"
        missing = browser.evaluate("byId('missing').textContent")
        assert missing == "Not in the lexicon, left out: 5"
        browser.evaluate("byId('speaker').value = 1; byId('speed').value = 2")
        browser.evaluate("synthesizeAndShow(false)")
        wave = np.array(browser.evaluate("[...wave]"), np.float32)
        np.testing.assert_array_equal(wave, expected("it iz,", sid=1, speed=2))
        links = browser.evaluate(
            "performance.getEntriesByType('resource').map((one) => one.name)"
        )
        assert all(link.startswith(("file:", "blob:")) for link in links)


def test_a_package_is_one_that_npm_has_installed(tmp_path):
    package = tmp_path / "onnxruntime-web"
    (package / "dist").mkdir(parents=True)
    settings = {"name": "onnxruntime-web", "version": "9"}
    (package / "package.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match=f"{MODULE}: no such file; take version"):
        find_runtime(package)
    (package / MODULE).write_bytes(b"1")
    (package / "dist/ort-wasm-simd-threaded.wasm").write_bytes(b"2")
    assert find_runtime(package).wasm == b"2"
    (package / "package.json").write_text("{}")
    with pytest.raises(ConfigError, match="is not that of onnxruntime-web"):
        find_runtime(package)


def test_without_npm(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="npm: not installed; install Node.js, or"):
        find_runtime()


def run_page(folder, calls, words=None):
    """Return what functions of the page's script make of arguments, in Node."""
    page = write_page(folder, folder / "page", WebRuntime("1", b"", b""), [])
    content = page.with_name("voice.js").read_text().partition("=")[2]
    task = {"source": str(page.with_name("page.js")), "calls": calls}
    task |= {"voice": json.loads(content.strip()[:-1]), "words": words or {}}
    node = shutil.which("node")
    assert node, "install Node.js"
    program = Path(__file__).with_name("page.mjs")
    options = {"input": json.dumps(task), "capture_output": True, "text": True}
    done = subprocess.run([node, program], **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


VOICES = {
    "letters of a voice of Piper's": ("text", "_^$ .aäo\u0308", None, "aÄÖ o."),
    "letters of a training": ("text", "_^$ .aäoй\u0308가", "char", "aÄÖ ЙY 가."),
    "phonemes": ("espeak", "_^$ .aãc\u0327", "phn", "aãç a."),
}


@pytest.mark.parametrize("name", VOICES)
def test_the_page_has_the_ids_of_the_runtime(name, tmp_path):
    kind, symbols, token_type, text = VOICES[name]
    ids = {symbol: [id] for id, symbol in enumerate(symbols)}
    changes = {"phoneme_type": kind, "phoneme_id_map": ids}
    changes["front_end"] = {"token_type": token_type}
    voice = Voice(make_voice(tmp_path / "voice", **changes))
    ((made,),) = run_page(tmp_path / "voice", [("piecesOf", text)])
    (phonemes,) = voice._front_end.given_phonemes(text)
    assert made == voice.ids(phonemes) and len(made) > 10


def test_the_page_ends_sentences_as_the_runtime_does(tmp_path):
    """At blank lines, and not at marks between digits."""
    words = {"a": "ə", "b": "b", "3": "θ", "5": "f"}
    texts = ["A\n\nb.\n \n\n. a\nb\n\n", "3.5 a, 3,5 b. 3"]
    calls = [("phonemesOf", text) for text in texts]
    made = run_page(make_voice(tmp_path / "voice"), calls, words)
    assert [phonemes for phonemes, _ in made] == ["ə\nb.\nə b\n", "θ f ə, θ f b. θ"]
    calls = [("sentencesOf", phonemes) for phonemes, _ in made]
    (first, second) = run_page(make_voice(tmp_path / "other"), calls, words)
    assert list(filter(None, first)) == ["ə", "b.", "ə b"]
    assert second == ["θ f ə, θ f b.", "θ"]


def test_the_page_finds_words_of_decomposed_letters(tmp_path):
    folder, words = make_voice(tmp_path / "voice"), {"café": "k a"}
    (found,) = run_page(folder, [("phonemesOf", "Cafe\u0301?")], words)
    assert found == ["k a?", []]


def test_the_page_cuts_long_sentences_as_the_runtime_does(tmp_path):
    voice = Voice(make_voice(tmp_path / "voice"))
    texts = [
        "a" * 700,
        "ab " * 250,
        "ab " * 90 + "ab, " + "cd " * 110,
        "ab " * 100 + "x",
    ]
    calls = [("piecesOf", text.strip()) for text in texts]
    made = run_page(tmp_path / "voice", calls)
    for text, pieces in zip(texts, made, strict=True):
        (phonemes,) = voice._front_end.given_phonemes(text)
        assert pieces == voice._id_pieces(phonemes) and len(pieces) > 1


def test_the_page_splits_tokens_at_spaces(tmp_path):
    ids = {one: [id] for id, one in enumerate(["_", "^", "$", " ", "AH0", ".", "B"])}
    changes = {"phoneme_type": "ids", "phoneme_id_map": ids}
    voice = Voice(make_voice(tmp_path / "voice", **changes))
    text = "AH0 <space>  B .\nAH0 . B . <space> B"
    expected = ["AH0 <space> B .", "AH0 . B .", "B"]
    calls = [("sentencesOf", text), *(("piecesOf", one) for one in expected)]
    sentences, *made = run_page(tmp_path / "voice", calls)
    assert sentences == expected
    assert [ids for (ids,) in made] == list(
        map(voice.ids, voice._front_end.given_phonemes(text))
    )


def test_the_page_reads_signs_and_dashes(tmp_path):
    words = {"a": "ə", "b": "b", "5": "f", "%": "p", "&": "n", "—": ";", "…": ","}
    calls = [("phonemesOf", "A — b…"), ("phonemesOf", "5% & b – 5, – a %")]
    found = run_page(make_voice(tmp_path / "voice"), calls, words)
    assert found == [["ə; b,", []], ["f p n b; f, ə p", []]]
    (found,) = run_page(make_voice(tmp_path / "other"), [("phonemesOf", "a & — b")])
    assert found == ["", ["a", "&", "b"]]


def test_the_page_has_the_settings_that_it_reads(tmp_path):
    voice = make_voice(tmp_path / "voice", weights="fp32", front_end={})
    page = write_page(voice, tmp_path / "page", WebRuntime("1", b"", b""), [])
    content = json.loads(page.with_name("voice.js").read_text().partition("=")[2][:-2])
    read = set(re.findall(r"settings\.(\w+)", page.with_name("page.js").read_text()))
    assert set(content["settings"]) == read


def test_a_voice_of_tokens_has_no_examples(tmp_path):
    voice = make_voice(tmp_path / "voice", phoneme_type="ids")
    runtime = WebRuntime("1", b"", b"")
    page = write_page(voice, tmp_path / "page", runtime, ["It is."])
    assert '"examples": []' in page.with_name("voice.js").read_text()[:3000]
