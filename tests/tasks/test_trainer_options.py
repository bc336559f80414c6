"""Trainings with a teacher and pruning under options of ESPnet's trainer, resumed."""

import contextlib
import importlib

import pytest
import torch

from espnet_distill.tasks.text2mel import DistillTTSTask

from ..conftest import assert_equal, load, stopped_in, train_in_two_processes

OBJECTIVES = [
    {"type": "mel"},
    {"type": "hidden", "tap": "encoder"},
    {"type": "duration"},
]
PRUNE = {
    "type": "prune",
    "pressure": 0.3,
    "start": 0,
    "interval": 1,
    "criterion": "taylor",
}
EPOCHS = 2


def settings_of(corpus, teacher, path, steps, **changes):
    """Write the configuration of a training whose last step prunes for the last time."""
    return corpus.config(
        path,
        max_epoch=EPOCHS,
        teacher=[str(teacher)],
        distill_conf={"objectives": OBJECTIVES},
        callbacks=[PRUNE | {"end": steps}],
        **changes,
    )


def assert_pruned_alike(resumed, whole):
    """Compare all of two checkpoints but times; the model is pruned in both."""
    for key in ("model", "optimizers", "schedulers"):
        assert_equal(resumed[key], whole[key], key)
    share = whole["reporter"]["stats"][EPOCHS]["train"]["sparsity"]
    assert share == pytest.approx(0.3, abs=0.03)


OPTIONS = {"amp": {"use_amp": True}, "bf16": {}, "accum_grad": {"accum_grad": 2}}


@pytest.fixture(scope="module")
def plain(corpus, teacher, tmp_path_factory):
    """The checkpoint of a training without any such option."""
    folder = tmp_path_factory.mktemp("plain")
    config = settings_of(corpus, teacher, folder / "train.yaml", 4)
    DistillTTSTask.main(cmd=corpus.training(config, folder / "exp"))
    return load(folder / "exp/checkpoint.pth")


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
def test_a_stopped_training_resumes(corpus, teacher, plain, name, tmp_path):
    steps = 2 if name == "accum_grad" else 4
    path = tmp_path / "train.yaml"
    config = settings_of(corpus, teacher, path, steps, **OPTIONS[name])
    stopped, whole = (
        corpus.training(config, tmp_path / x) for x in ("stopped", "whole")
    )
    bf16 = torch.autocast("cpu", torch.bfloat16, cache_enabled=False)
    with bf16 if name == "bf16" else contextlib.nullcontext():
        DistillTTSTask.main(cmd=whole)
        with stopped_in(EPOCHS), pytest.raises(KeyboardInterrupt):
            DistillTTSTask.main(cmd=stopped)
        DistillTTSTask.main(cmd=[*stopped, "--resume", "true"])
    resumed, checkpoint = (
        load(tmp_path / x / "checkpoint.pth") for x in ("stopped", "whole")
    )
    assert_pruned_alike(resumed, checkpoint)
    assert {x.dtype for x in checkpoint["model"].values()} <= {
        torch.float32,
        torch.int64,
    }
    same = all(
        torch.equal(x, plain["model"][key]) for key, x in checkpoint["model"].items()
    )
    assert same == (name == "amp")  # without a GPU, ESPnet's AMP changes nothing


# As in ESPnet's AbsTask.main, all that a child gets of the plugin is `cls.main_worker`.
TASK = """
import copy
import torch
from espnet_distill.training.espnet_trainer import CallbackTrainer
from espnet_distill.tasks.text2mel import DistillTTSTask

RUNS = (("whole", False), ("stopped", False), ("stopped", True))

class ResumingTask(DistillTTSTask):
    @classmethod
    def main_worker(cls, args):
        train_one_epoch = CallbackTrainer.train_one_epoch.__func__

        def interrupted(trainer, reporter, **others):
            if own.output_dir.endswith("stopped") and not own.resume:
                if reporter.get_epoch() == 2:
                    raise KeyboardInterrupt
            return train_one_epoch(trainer, reporter=reporter, **others)

        CallbackTrainer.train_one_epoch = classmethod(interrupted)
        for name, resume in RUNS:
            own = copy.deepcopy(args)
            own.output_dir, own.resume = f"{args.output_dir}/{name}", resume
            own.dist_init_method = f"file://{args.output_dir}/{name}_{resume}"
            try:
                super().main_worker(own)
            except (KeyboardInterrupt, SystemExit):  # of a spawned process
                assert name == "stopped" and not resume
            torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_resume(corpus, teacher, tmp_path, monkeypatch):
    (tmp_path / "resuming_task.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    task = importlib.import_module("resuming_task").ResumingTask
    config = settings_of(corpus, teacher, tmp_path / "train.yaml", 4)
    (tmp_path / "exp").mkdir()
    command = corpus.training(config, tmp_path / "exp")
    args = task.get_parser().parse_args(command)
    task.check_required_command_args(args)
    train_in_two_processes(task, args)
    resumed, whole = (
        load(tmp_path / "exp" / x / "checkpoint.pth") for x in ("stopped", "whole")
    )
    assert_pruned_alike(resumed, whole)
