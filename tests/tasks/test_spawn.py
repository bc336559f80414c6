"""Children that ESPnet spawns, which never run the plugin's `__main__`."""

import importlib

import pytest
import torch

from ..conftest import load_stock, train_in_two_processes

# As in ESPnet's AbsTask.main, all that a child gets of the plugin is `cls.main_worker`.
TASK = """
import torch
from espnet_distill.tasks.text2mel import DistillTTSTask

class TracingTask(DistillTTSTask):
    @classmethod
    def build_optimizers(cls, args, model):
        cls.model = model
        return super().build_optimizers(args, model)

    @classmethod
    def main_worker(cls, args):
        super().main_worker(args)
        parameters = dict(cls.model.named_parameters())
        torch.save(parameters, f"{args.output_dir}.rank{args.dist_rank}.pth")
"""


@pytest.fixture
def tracing_task(tmp_path, monkeypatch):
    (tmp_path / "tracing_task.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("tracing_task").TracingTask


def test_two_processes_train_one_student(corpus, teacher, tracing_task, tmp_path):
    config = corpus.config(
        tmp_path / "train.yaml",
        teacher=[str(teacher)],
        distill_conf={
            "objectives": [{"type": "mel"}, {"type": "hidden", "tap": "encoder"}]
        },
    )
    command = corpus.training(config, tmp_path / "exp")
    args = tracing_task.get_parser().parse_args(command)
    train_in_two_processes(tracing_task, args)

    ranks = [
        torch.load(tmp_path / f"exp.rank{rank}.pth", weights_only=True)
        for rank in (0, 1)
    ]
    assert list(ranks[0]) == list(ranks[1])
    assert all(torch.equal(ranks[0][name], ranks[1][name]) for name in ranks[0])
    assert sum(name.startswith("teacher_objectives.") for name in ranks[0]) == 2
    checkpoint = torch.load(tmp_path / "exp" / "checkpoint.pth", weights_only=True)
    (optimizer,) = checkpoint["optimizers"]
    (projection,) = (
        value for name, value in optimizer["espnet_distill"].items() if "weight" in name
    )
    (name,) = (
        name for name in ranks[0] if "teacher_objectives." in name and "weight" in name
    )
    assert torch.equal(projection, ranks[0][name])
    assert "distill_mel" in checkpoint["reporter"]["stats"][1]["train"]
    load_stock(tmp_path / "exp").load_state_dict(checkpoint["model"], strict=True)
    assert (tmp_path / "exp" / "distill.yaml").is_file()
