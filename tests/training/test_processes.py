"""Two processes, started as ESPnet starts them, prune one model."""

import importlib

import pytest
import torch

from ..conftest import train_in_two_processes

PRUNE = {"type": "prune", "pressure": 0.5, "start": 1, "end": 3, "interval": 1}

# As in ESPnet's AbsTask.main, all that a child gets of the plugin is `cls.main_worker`.
TASK = """
import torch
from espnet_distill.tasks.text2mel import DistillTTSTask

class TracingPruningTask(DistillTTSTask):
    @classmethod
    def build_optimizers(cls, args, model):
        cls.model = model
        return super().build_optimizers(args, model)

    @classmethod
    def main_worker(cls, args):
        super().main_worker(args)
        saved = {"model": cls.model.state_dict(), "state": cls.callbacks.state_dict()}
        torch.save(saved, f"{args.output_dir}.rank{args.dist_rank}.pth")
"""


@pytest.fixture
def tracing_task(tmp_path, monkeypatch):
    (tmp_path / "tracing_pruning_task.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("tracing_pruning_task").TracingPruningTask


@pytest.mark.parametrize(
    "prune",
    [
        {"granularity": "structured", "criterion": "taylor"},
        {"granularity": "unstructured", "criterion": "wanda"},
    ],
    ids=["structured", "unstructured"],
)
def test_masks_are_the_same_in_both(corpus, tracing_task, prune, tmp_path):
    """Processes train on different utterances, with equal gradients."""
    config = corpus.config(
        tmp_path / "train.yaml", callbacks=[PRUNE | prune], max_epoch=2
    )
    command = corpus.training(config, tmp_path / "exp")
    args = tracing_task.get_parser().parse_args(command)
    tracing_task.check_required_command_args(args)
    train_in_two_processes(tracing_task, args)

    first, second = (
        torch.load(tmp_path / f"exp.rank{rank}.pth", weights_only=True)
        for rank in (0, 1)
    )
    for name, value in first["model"].items():
        assert torch.equal(value, second["model"][name])
    (mine,), (other,) = first["state"]["states"], second["state"]["states"]
    assert any(not mask.all() for mask in mine["masks"].values())
    assert list(mine["masks"]) == list(other["masks"])
    for name, mask in mine["masks"].items():
        assert torch.equal(mask, other["masks"][name])
    assert first["state"]["step"] == second["state"]["step"] == 4
    checkpoint = torch.load(tmp_path / "exp" / "checkpoint.pth", weights_only=True)
    (optimizer,) = checkpoint["optimizers"]
    (saved,) = optimizer["espnet_distill_callbacks"]["states"]
    for name, mask in mine["masks"].items():
        assert torch.equal(mask, saved["masks"][name])
    stats = checkpoint["reporter"]["stats"]
    shares = [stats[epoch]["train"]["sparsity"] for epoch in stats]
    assert 0 < shares[0] < shares[1] == pytest.approx(0.5, abs=0.01)
