"""Tiny models, and a training loop that drives a callback."""

import dataclasses

import torch
from torch import nn

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.structure.groups import find_groups
from espnet_distill.students.find_groups import outputs_of
from espnet_distill.training.callback import TrainingContext

from ..conftest import CONFORMER, STEADY_FASTSPEECH2

SIZES = {"adim": 16, "elayers": 2, "dlayers": 2, "eunits": 48, "dunits": 40}
CONFS = {
    "transformer": STEADY_FASTSPEECH2 | SIZES,
    "conformer": CONFORMER | {"elayers": 2, "eunits": 48, "dunits": 40},
}


class TTS(nn.Module):
    """A model with a text-to-mel model as `tts`, like ESPnet's."""

    def __init__(self, kind="transformer"):
        from espnet2.tts.fastspeech2 import FastSpeech2

        super().__init__()
        torch.manual_seed(0)
        self.kind = kind
        self.tts = FastSpeech2(30, 20, **CONFS[kind])

    def forward(self, seed):
        """Return the loss on a random sentence."""
        generator = torch.Generator().manual_seed(seed)
        sentence = dummy_batch(self.tts)
        text = torch.randint(3, 29, sentence["text"].shape, generator=generator)
        feats = torch.randn(sentence["feats"].shape, generator=generator)
        drawn = {"text": text, "feats": feats}
        drawn = {name: value.to(sentence[name].device) for name, value in drawn.items()}
        loss, *_ = self.tts(**sentence | drawn)
        return loss


def groups_of(model):
    copy = TTS(model.kind).tts
    return [
        dataclasses.replace(
            group,
            axes=tuple(
                dataclasses.replace(axis, parameter=f"tts.{axis.parameter}")
                for axis in group.axes
            ),
        )
        for group in find_groups(copy, outputs_of(copy))
    ]


class Plain(nn.Module):
    """Two linear layers and a norm, for tests without ESPnet."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Linear(12, 32)
        self.norm = nn.LayerNorm(32)
        self.outer = nn.Linear(32, 8)

    def forward(self, seed):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(6, 12, generator=generator)
        hidden = torch.relu(self.inner(x))
        return (self.outer(self.norm(hidden)) - x[:, :8]).square().mean()


def adamw(model):
    return torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.1)


def train(model, callback, steps, optimizer=None, first=1, epoch_of=10):
    """Train from step ``first`` to ``steps``, an epoch being ``epoch_of`` of them."""
    optimizer = optimizer or adamw(model)
    model.train()
    callback.on_train_start(
        TrainingContext(model, [optimizer], steps=steps, epochs=steps // epoch_of)
    )
    for step in range(first, steps + 1):
        optimizer.zero_grad()
        model(step).backward()
        optimizer.step()
        callback.on_step_end(step)
        if step % epoch_of == 0:
            callback.on_epoch_end(step // epoch_of)
    callback.on_train_end()
    return optimizer
