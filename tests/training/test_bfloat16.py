"""Training in bfloat16 on a CPU: what is computed in it, and what stays float32."""

import pytest
import torch
from torch import nn

from espnet_distill.tasks.text2mel import DistillTTSTask
from espnet_distill.training import bfloat16
from espnet_distill.training.registry import build_callback

from ..conftest import load_stock


@pytest.fixture
def with_instructions(monkeypatch):
    monkeypatch.setattr(bfloat16, "has_bfloat16_instructions", lambda: True)


class Noting(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, inputs):
        outputs = self.linear(inputs)
        self.dtype = outputs.dtype
        if not torch.isfinite(inputs).all():
            raise ValueError("not finite")
        return outputs.float().square().mean()


def attach(model):
    build_callback({"type": "bfloat16"}).attach(model)
    return model


def test_products_are_bfloat16_and_gradients_float32(with_instructions):
    model = attach(Noting())
    model(torch.randn(4, 3)).backward()
    assert model.dtype == torch.bfloat16
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}


def test_outside_of_the_model_nothing_changes(with_instructions):
    model = attach(Noting())
    model(torch.randn(4, 3))
    assert model.linear(torch.randn(4, 3)).dtype == torch.float32


def test_autocast_ends_with_an_exception(with_instructions):
    model = attach(Noting())
    with pytest.raises(ValueError, match="not finite"):
        model(torch.full((4, 3), torch.inf))
    assert not torch.is_autocast_enabled("cpu")


def test_without_instructions_it_is_float32(monkeypatch, caplog):
    monkeypatch.setattr(bfloat16, "has_bfloat16_instructions", lambda: False)
    model = attach(Noting())
    model(torch.randn(4, 3))
    assert model.dtype == torch.float32
    assert "no such instructions" in caplog.text


def test_a_training_writes_float32(corpus, tmp_path, with_instructions):
    config = corpus.config(
        tmp_path / "train.yaml", callbacks=[{"type": "bfloat16"}], max_epoch=1
    )
    DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
    state = torch.load(tmp_path / "exp/latest.pth", weights_only=True)
    assert {x.dtype for x in state.values() if x.is_floating_point()} == {torch.float32}
    load_stock(tmp_path / "exp")
