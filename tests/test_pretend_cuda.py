"""The pretend GPU refuses what CUDA refuses, and nothing else."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from .pretend_cuda import pretend_cuda


@pytest.fixture
def tensors(monkeypatch):
    """A matrix on the GPU, and one on the CPU."""
    with pretend_cuda(monkeypatch):
        yield torch.randn(4, 3).to("cuda"), torch.randn(4, 3)


@pytest.mark.parametrize(
    "mix",
    [
        lambda gpu, cpu: gpu + cpu,
        lambda gpu, cpu: cpu.add_(gpu),
        lambda gpu, cpu: cpu.sum().add_(gpu.sum()),
        lambda gpu, cpu: gpu @ cpu.T,
        lambda gpu, cpu: torch.cat([gpu, cpu]),
        lambda gpu, cpu: torch.stack([gpu.sum(), cpu.sum()]),
        lambda gpu, cpu: cpu[gpu[:, 0] > 0],
        lambda gpu, cpu: torch._foreach_mul_([gpu], [cpu]),
        lambda gpu, cpu: torch.nn.Linear(3, 3)(gpu),
        lambda gpu, cpu: gpu.index_select(0, torch.tensor([0])),
        lambda gpu, cpu: (
            torch.nn.functional.one_hot(gpu[:, 0].long().abs(), 9) + torch.arange(9)
        ),
        lambda gpu, cpu: gpu[:, 0] + torch.zeros(gpu.new_tensor(4, dtype=torch.long)),
        lambda gpu, cpu: np.asarray(gpu),
        lambda gpu, cpu: gpu.numpy(),
        lambda gpu, cpu: torch.rand(3, generator=torch.Generator(), device="cuda"),
        lambda gpu, cpu: pack_padded_sequence(
            gpu[None], torch.tensor([4], device="cuda")
        ),
    ],
)
def test_what_mixes_devices_is_refused(tensors, mix):
    with pytest.raises((RuntimeError, TypeError), match="cuda|CPU"):
        mix(*tensors)


def test_labels_follow_what_is_computed(tensors):
    gpu, cpu = tensors
    for made in (
        gpu[0],
        gpu * torch.tensor(2.0),
        gpu[torch.tensor([0, 1])],
        gpu.new_zeros(3),
        gpu.new_tensor([1.0]),
        torch.zeros_like(gpu),
        torch.arange(3, device=gpu.device),
        cpu.cuda(),
        copy.deepcopy(gpu),
        gpu.to(torch.float64),
    ):
        assert made.is_cuda and not made.is_cpu and made.device.type == "cuda"
    for made in (cpu.clone(), gpu.cpu(), gpu.to("cpu"), torch.zeros(3), cpu.copy_(gpu)):
        assert made.is_cpu and made.device.type == "cpu"


def test_gradients_and_optimizers_are_where_the_model_is(tensors):
    gpu, _ = tensors
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LSTM(3, 2)).to("cuda")
    optimizer = torch.optim.AdamW(model.parameters())
    output, _ = model(gpu)
    output.square().sum().backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    assert all(parameter.grad.is_cuda for parameter in model.parameters())
    assert all(state["exp_avg"].is_cuda for state in optimizer.state.values())


def test_afterwards_there_is_none(monkeypatch):
    with pretend_cuda(monkeypatch):
        gpu = torch.ones(3).to("cuda")
    assert gpu.device.type == "cpu" and (gpu + torch.ones(3)).sum() == 6
