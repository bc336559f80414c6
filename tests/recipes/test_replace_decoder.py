"""replace_decoder.sh: from a VITS's experiment and texts to one with a small decoder."""

import shutil

import pytest
import yaml

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.recipes import decoder_training

from ..conftest import make_experiment
from ..teachers.text_to_wave_models import make_slow, vits
from .mini_an4 import copy_recipe, run, two_updates

TEXTS = {"train": ["a b c d", "e f g h", "b a d"], "dev": ["c a b"]}
OPTIONS = ["--teacher", "exp/vits", "--out", "exp/small"]


@pytest.fixture
def recipe(tmp_path):
    recipe = copy_recipe(tmp_path)
    for name, lines in TEXTS.items():
        folder = recipe / "dump/raw" / name
        folder.mkdir(parents=True)
        rows = (f"{name}{number} {line}\n" for number, line in enumerate(lines))
        (folder / "text").write_text("".join(rows))
    two_updates(recipe)
    return recipe


@pytest.mark.slow
def test_one_command_replaces_the_decoder(recipe):
    make_slow(recipe / "exp/vits", token_type="phn", **vits())
    options = ["--vocoder_preset", "harmonic_istft_nano", "--num_threads", "1"]
    options += ["--vocoder_config", "conf/vocoder.yaml"]
    done = run(recipe, *OPTIONS, *options, script="./replace_decoder.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exp/small: a decoder of" in done.stdout
    experiment = Experiment(recipe / "exp/small")
    assert experiment.config["tts"] == "vits_synthesizer"
    assert experiment.config["tts_conf"]["decoder_type"] == "harmonic_istft_generator"
    manifest = recipe / "exp/small_decoder/latents/train/manifest.yaml"
    noise = yaml.safe_load(manifest.read_text())["noise"]
    assert noise == {"noise_scale": 0.667, "noise_scale_dur": 0.8}

    finished = manifest.stat().st_mtime_ns, _trained(recipe)
    shutil.rmtree(recipe / "exp/small")
    done = run(recipe, *OPTIONS, *options, script="./replace_decoder.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _trained(recipe) == finished[1]  # resumed, with nothing left to do


def _trained(recipe):
    return (recipe / "exp/small_decoder/1epoch.pth").stat().st_mtime_ns


@pytest.mark.parametrize(
    "options, line",
    [
        (["--out", "exp/small"], "--teacher: missing; name a VITS or JETS"),
        ([*OPTIONS, "--vocoder_preset", "x"], "--vocoder_preset: no such preset: x"),
        (["--teacher", "x", "--out", "conf"], "--out conf: exists; name a new folder"),
        ([*OPTIONS, "--valid_set", "x"], "error: dump/raw/x/text: no such file; run"),
        (
            [*OPTIONS, "--data", "utt2sid,sids,text_int"],
            "error: dump/raw/train/utt2sid: no such file; run stage 1, or name other",
        ),
    ],
)
def test_options_are_checked(recipe, options, line):
    done = run(recipe, *options, script="./replace_decoder.sh")
    assert done.returncode == 2 and line in done.stderr


def test_the_configuration_is_merged_by_key(tmp_path):
    given, preset, out = (tmp_path / name for name in ("given", "preset", "out"))
    given.write_text("max_epoch: 3\ntts_conf: {x: 1}\ntext2mel: exp/student\n")
    preset.write_text("tts: vocoder\ntts_conf: {y: 2}")  # and no line break
    options = {"config": given, "preset": preset, "latents": "a: b", "out": out}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    assert decoder_training.main(list(map(str, words))) == 0
    assert yaml.safe_load(out.read_text()) == {
        "max_epoch": 3,
        "tts": "vocoder",
        "tts_conf": {"y": 2},
        "teacher_dump": "a: b",
    }


def test_no_configuration_is_refused_before_the_synthesis(recipe):
    (recipe / "conf/list.yaml").write_text("- 1\n")
    options = [*OPTIONS, "--vocoder_config", "conf/list.yaml"]
    done = run(recipe, *options, script="./replace_decoder.sh")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "conf/list.yaml: expected keys and values" in done.stderr


@pytest.mark.slow
def test_a_text_to_mel_teacher_is_refused(recipe):
    make_experiment(recipe / "exp/vits")
    done = run(recipe, *OPTIONS, script="./replace_decoder.sh")
    assert done.returncode == 2
    assert "tts: fastspeech2: synthesizes no waveform" in done.stderr
