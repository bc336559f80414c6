"""The recipe of the shipped voice: its texts, and its dump of hibari's latents."""

import importlib.util
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
import yaml

from espnet_distill.utils.files import read_durations, read_table
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.voice.espeak import provide_espeak

from .mini_an4 import ROOT

pytest.importorskip("hibari")

RECIPE = ROOT / "egs/hibari_voice/tts1"
GLOSS = '00001740 03 n 01 entity 0 000 | that which is; "{}"; "{}"\n'
HOP = 300


def environment(**variables):
    """Return this process's environment, with its interpreter's programs first."""
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    return os.environ | {"PATH": path} | variables


def local(name):
    """Return a script of the recipe as a module."""
    spec = importlib.util.spec_from_file_location(name, RECIPE / f"local/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_examples_are_sentences_once_each(tmp_path):
    glosses = [
        GLOSS.format("he has no hope of being found", "too short"),
        GLOSS.format("does this old car still run?", "he has no hope of being found"),
        GLOSS.format("a word with a \\ sign in it", "she wore a red dress,"),
    ]
    (tmp_path / "data.noun").write_text("  1 This software \n" + "".join(glosses))
    program = [sys.executable, RECIPE / "local/wordnet.py", tmp_path]
    subprocess.run([*program, tmp_path / "text", tmp_path / "held_out"], check=True)
    held_out = (tmp_path / "held_out").read_text().splitlines()
    text = (tmp_path / "text").read_text().splitlines()
    assert held_out == ["wordnet_00000 He has no hope of being found."]
    assert text == [
        "wordnet_00001 Does this old car still run?",
        "wordnet_00002 She wore a red dress.",
    ]


def test_a_folder_without_wordnet_is_named(tmp_path):
    done = subprocess.run(
        ["./run.sh"],
        cwd=RECIPE,
        env={"PATH": "/usr/bin:/bin", "WORDNET": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"./run.sh: error: WORDNET: {tmp_path}: no WordNet")


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    """A dump of two sentences, and the module that made it."""
    folder = tmp_path_factory.mktemp("speech")
    text = folder / "text"
    text.write_text("a The judge's voice, rare and pure.\nb A kitten? Thirty-two!\n")
    provide_espeak()  # as path.sh does
    script = local("dump_latents")
    script.main(text, folder / "train")
    return folder / "train", script


def test_durations_waves_and_latents_have_the_same_frames(dump):
    folder, script = dump
    spec = LatentSpec.of_set(folder)
    assert (spec.fs, spec.hop_length, spec.channels) == (24000, HOP, 256)
    latents, f0 = read_table(folder / "latents.scp"), read_table(folder / "f0.scp")
    waves = read_table(folder / "wav/wav.scp")
    component = read_table(folder / "free_phase.scp")
    for key, units in read_durations(folder / "durations", waves).items():
        frames = 2 * sum(units)
        assert np.load(latents[key]).shape == (frames, 256)
        pitch = np.load(f0[key])
        assert pitch.shape == (frames,) and 0.3 < (pitch > 60).mean() < 1
        assert len(open(waves[key], "rb").read()) == 44 + 2 * HOP * frames
        wave, free = soundfile.read(waves[key])[0], np.load(component[key])
        assert free.shape == wave.shape
        without = (wave - free).std()  # lower, because it is in phase with the waveform
        assert without < wave.std()


def test_every_token_has_a_part_of_the_duration(dump):
    _, script = dump
    tokens = "t ʃ ˈ ɜ ː ɹ ə l <space> k ˈ ɪ ʔ n ̩".split()
    groups = list(script.split(tokens))
    assert "".join(phonemes for _, phonemes in groups) == "ʧˈɜɹᵊl kˈɪtᵊn"
    assert sum(size for size, _ in groups) == len(tokens)
    units = np.arange(1, 2 + 1 + sum(len(phonemes) for _, phonemes in groups))
    durations = script.durations_of(groups, units, begin=0, end=3)
    assert len(durations) == len(tokens) + 1
    assert durations.sum() == units.sum() - 3 and durations[-1] == units[-1] - 3


def test_the_speech_is_that_of_the_voice(dump):
    """Without the cut ends and the noise floor, hibari's own synthesis in float."""
    folder, script = dump
    voice = script.Voice()
    graph = onnx.load(voice.hibari.model_path)
    script.multiply_in_float(graph.graph)
    voice.hibari.sess = onnxruntime.InferenceSession(graph.SerializeToString())
    tokens = script.PhonemeTokenizer(script.G2P).text2tokens("A kitten.")
    phonemes = "".join(part for _, part in script.split(tokens))
    expected = voice.hibari.from_phonemes(phonemes, seed=3)
    wave = voice(tokens, 3)["wav"]
    starts = range(0, len(expected) - len(wave) + 1, HOP)
    errors = [np.abs(expected[n : n + len(wave)] - wave).max() for n in starts]
    assert min(errors) < 1e-3


def test_products_in_float_are_those_of_eight_bits_but_for_rounding(dump):
    _, script = dump
    graph = onnx.load(script.Hibari().model_path)
    inputs = {"ids": np.arange(2, 40)[None], "speed": np.ones(1, np.float32)}
    outputs = []
    for change in (lambda graph: None, script.multiply_in_float):
        change(graph.graph)
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        outputs.append(session.run(["lh"], inputs)[0])
    assert "MatMulInteger" not in {node.op_type for node in graph.graph.node}
    rounded, exact = outputs
    assert rounded.shape == exact.shape
    assert np.abs(rounded - exact).mean() < 0.05 * np.abs(exact).mean()


def test_a_dump_of_other_texts_is_refused(dump, tmp_path):
    folder, script = dump
    text = tmp_path / "text"
    text.write_text("a Another sentence.\n")
    with pytest.raises(Exception, match="speech of another voice or text; remove"):
        script.main(text, folder)


@pytest.mark.slow
def test_all_stages(tmp_path):
    """From a few sentences to an exported voice, with two updates of each training."""
    leave_out = shutil.ignore_patterns("data", "downloads", "dump", "exp", "utils")
    for name in ("TEMPLATE", "hibari", "hibari_voice"):
        target = tmp_path / "egs" / name
        shutil.copytree(ROOT / "egs" / name, target, symlinks=True, ignore=leave_out)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    recipe = tmp_path / "egs/hibari_voice/tts1"
    wordnet = tmp_path / "wordnet"
    wordnet.mkdir()
    lines = (
        GLOSS.format(f"it was number {n} of them all", f"we saw {n} birds in the tree")
        for n in range(2, 32)
    )
    (wordnet / "data.noun").write_text("".join(lines))
    demo = tmp_path / "egs/hibari/tts1/local/prompts.txt"
    demo.write_text("".join(demo.read_text().splitlines(keepends=True)[-70:]))
    conf = yaml.safe_load((recipe / "conf/train_student.yaml").read_text())
    conf |= {"num_iters_per_epoch": 2, "max_epoch": 1, "batch_size": 2}
    (recipe / "conf/train_student.yaml").write_text(yaml.safe_dump(conf))
    args = "--tts_conf vocoder_params.free_phase=true --max_epoch 1"
    options = ["--vocoder_args", f"{args} --num_iters_per_epoch 2 --batch_size 2"]
    done = subprocess.run(
        ["./run.sh", "--num_threads", "1", *options],
        cwd=recipe,
        env=environment(WORDNET=str(wordnet), NUM_SENTENCES="8"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    voice = recipe / "exp/student_voice"
    assert (voice / "voice.onnx").is_file() and (voice / "tokens.txt").is_file()
