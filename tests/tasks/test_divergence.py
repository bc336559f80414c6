"""Trainings whose loss is NaN end with one line, and leave no student."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.tasks.mel2wav import DistillGANTTSTask
from espnet_distill.tasks.text2mel import DistillTTSTask

from ..conftest import load, make_experiment, run_python
from .test_dump import Dumps
from .test_vocoder import dump as dump_waves
from .test_vocoder import write_config

ROOT = Path(__file__).parents[2]
OBJECTIVES = {"objectives": [{"type": "mel"}, {"type": "hidden", "tap": "encoder"}]}


@pytest.fixture(scope="module")
def overflowing(tmp_path_factory):
    """A teacher of finite weights that computes infinity."""
    folder = make_experiment(tmp_path_factory.mktemp("exp") / "overflowing")
    path = folder / "train.loss.ave.pth"
    state = load(path)
    for name, tensor in state.items():
        if "postnet" in name and name.endswith("weight"):
            tensor.fill_(3e38)
    torch.save(state, path)
    return folder


def refusal(corpus, config, out):
    with pytest.raises(ConfigError) as caught:
        DistillTTSTask.main(cmd=corpus.training(config, out))
    assert not list(out.glob("*.pth"))
    (line,) = caught.value.faults
    return line


def test_a_teacher_that_computes_infinity(corpus, overflowing, tmp_path):
    config = corpus.config(
        tmp_path / "train.yaml", teacher=[str(overflowing)], distill_conf=OBJECTIVES
    )
    line = refusal(corpus, config, tmp_path / "exp")
    path = overflowing / "train.loss.ave.pth"
    assert line.startswith("distill_conf.objectives: mel: NaN or infinite: ")
    assert f"teacher {path} computes non-finite mel_after for a" in line
    assert line.endswith("name another teacher, or dump it again")


def spoiled(corpus, teacher, root):
    """Dump a teacher, put NaN into one tap of a3, and configure a training on it."""
    dumps = Dumps(corpus, root, [teacher]).run()
    path = dumps.folder / "train" / "teacher" / "data" / "encoder" / "a3.npy"
    array = np.load(path)
    array[0, 0] = np.nan
    np.save(path, array)
    return corpus.config(
        root / "train.yaml",
        teacher=[str(teacher)],
        teacher_dump=str(dumps.folder),
        distill_conf={"objectives": dumps.objectives},
    )


def test_a_teacher_whose_dump_holds_nan(corpus, teacher, tmp_path):
    line = refusal(corpus, spoiled(corpus, teacher, tmp_path), tmp_path / "exp")
    assert ": hidden_encoder: " in line and "non-finite encoder for a3; " in line


def test_a_student_that_diverges(corpus, teacher, tmp_path):
    config = corpus.config(
        tmp_path / "train.yaml",
        teacher=[str(teacher)],
        distill_conf=OBJECTIVES,
        optim="sgd",
        optim_conf={"lr": 1e30},
        scheduler=None,
    )
    line = refusal(corpus, config, tmp_path / "exp")
    assert ": the student computes non-finite " in line
    assert line.endswith("lower optim_conf.lr or grad_clip")


def test_a_student_without_a_teacher_that_never_learns(corpus, tmp_path):
    """Stock ESPnet warns, stops and ends with success."""
    start = corpus.root / "diverged.pth"
    state = make_experiment(tmp_path / "start") / "train.loss.ave.pth"
    weights = load(state)
    weights["tts.feat_out.weight"] *= float("inf")
    torch.save(weights, start)
    prune = {"type": "prune", "granularity": "unstructured", "pressure": 0.5, "end": 3}
    config = corpus.config(
        tmp_path / "train.yaml", callbacks=[prune], init_param=[f"{start}:tts:tts"]
    )
    line = refusal(corpus, config, tmp_path / "exp")
    assert line.startswith("epoch 1: the gradients of all its steps are NaN")


def test_statistics_that_are_not_finite(corpus, teacher, tmp_path):
    bad = tmp_path / "feats_stats.npz"
    np.savez(bad, **dict(np.load(corpus.stats("feats"))) | {"sum": np.full(20, np.nan)})
    config = corpus.config(
        tmp_path / "train.yaml",
        teacher=[str(teacher)],
        normalize_conf={"stats_file": str(bad)},
    )
    line = refusal(corpus, config, tmp_path / "exp")
    assert line.startswith(f"normalize_conf.stats_file: {bad}: NaN or infinity in sum")


@pytest.mark.parametrize("kind", ["mel", "f0"])
def test_a_vocoder_whose_dump_holds_nan(corpus, teacher, kind, tmp_path):
    folder = tmp_path / "dump"
    dump_waves(corpus, "none", teacher, folder)
    dump_waves(corpus, "none", teacher, folder, "--finish")
    for path in (folder / "train" / kind).iterdir():
        np.save(path, np.full_like(np.load(path), np.nan))
    generator = {
        "tts_conf": {
            "vocoder_type": "harmonic_istft_generator",
            "vocoder_params": {"channels": 8, "hidden_channels": 16, "layers": 1},
        },
        "distill_conf": {
            "objectives": [
                {"type": "stft", "sizes": [64, 256], "complex": 0.0},
                {"type": "f0", "weight": 3.0},
            ]
        },
    }
    path = tmp_path / "train.yaml"
    config = write_config(teacher, path, folder, **generator)
    with pytest.raises(ConfigError) as caught:
        out = str(tmp_path / "exp")
        DistillGANTTSTask.main(cmd=["--config", str(config), "--output_dir", out])
    line = str(caught.value)
    assert f"NaN or infinite: {kind} of a" in line and "\n" not in line


TWO = """
import sys
import torch
from espnet_distill.tasks.text2mel import DistillTTSTask
from tests.conftest import free_port

def main():
    args = DistillTTSTask.get_parser().parse_args(sys.argv[1:])
    DistillTTSTask.check_required_command_args(args)
    args.distributed, args.dist_backend = True, "gloo"
    args.dist_world_size, args.version = 2, "test"
    args.dist_init_method = f"tcp://localhost:{free_port()}"
    children = []
    for rank in range(2):
        args.dist_rank = args.local_rank = rank
        context = torch.multiprocessing.get_context("spawn")
        child = context.Process(target=DistillTTSTask.main_worker, args=(args,))
        child.start()
        children.append(child)
    for child in children:
        child.join(200)
    print(*(child.exitcode for child in children))

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_both_of_two_processes_end(corpus, teacher, tmp_path):
    """Only one of them has the utterance whose dump holds NaN."""
    config = spoiled(corpus, teacher, tmp_path)
    (tmp_path / "two.py").write_text(TWO)
    command = corpus.training(config, tmp_path / "exp")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = run_python(tmp_path / "two.py", *command, timeout=300, env=environment)
    assert done.stdout.split() == ["2", "2"], done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(lines) == 2
    assert all(line.startswith("espnet_distill: error: ") for line in lines)
    assert sum("non-finite encoder for a3" in line for line in lines) == 1
