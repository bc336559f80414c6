"""A training by ESPnet3's own trainer, with a callback from its configuration."""

import copy
import csv

import pytest
import torch
from omegaconf import OmegaConf

from espnet_distill.errors import ConfigError
from espnet_distill.training.lightning import build_lightning_callback

from ..conftest import STEADY_FASTSPEECH2, model_config

PRUNE = {
    "_target_": "espnet_distill.training.lightning.build_lightning_callback",
    "type": "prune",
    "granularity": "structured",
    "pressure": 0.3,
    "start": 2,
    "end": 6,  # two steps an epoch: final from the fourth on
    "interval": 1,
}
MODULE = """
import lightning
import numpy as np
from espnet3.components.data.base_dataset import BaseDataset
from espnet3.contract import Field

class Dataset(BaseDataset):
    fields = (Field("text", "text"),)

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {"text": f"{self.split} {index}"}

class ToNumbers:
    def __call__(self, item):
        rng = np.random.default_rng(list(item["text"].encode()))
        durations = rng.integers(2, 5, 7)
        mel = rng.standard_normal((durations.sum(), 20), dtype=np.float32)
        pitch, energy = rng.random((2, 7, 1), dtype=np.float32)
        numbers = {"text": rng.integers(3, 20, 6), "speech": mel}
        return numbers | {"durations": durations, "pitch": pitch, "energy": energy}

class StopInTheSecondEpoch(lightning.pytorch.callbacks.Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch == 1
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """ESPnet3's configuration of a training of six epochs of two steps."""
    (tmp_path / "random_mels.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    one = [{"data_src": "random_mels", "data_src_args": {"split": "train"}}]
    two = [{"data_src": "random_mels", "data_src_args": {"split": "valid"}}]
    loader = {"iter_factory": None, "batch_size": 2, "shuffle": False, "num_workers": 0}
    return {
        "task": "espnet2.tasks.tts.TTSTask",
        "exp_dir": str(tmp_path / "exp"),
        "num_device": 1,
        "seed": 0,
        "model": model_config(tts_conf=STEADY_FASTSPEECH2, odim=20),
        "dataset": {
            "_target_": "espnet3.components.data.data_organizer.DataOrganizer",
            "train": one,
            "valid": two,
            "preprocessor": {"_target_": "random_mels.ToNumbers"},
        },
        "dataloader": {
            "collate_fn": {
                "_target_": "espnet2.train.collate_fn.CommonCollateFn",
                "int_pad_value": 0,
            },
            "train": loader,
            "valid": loader,
        },
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01},
        "scheduler": {
            "_target_": "torch.optim.lr_scheduler.LinearLR",
            "total_iters": 3,
        },
        "best_model_criterion": [["valid/loss", 2, "max"]],  # the earlier the better
        "trainer": {
            "accelerator": "cpu",
            "devices": 1,
            "max_epochs": 6,
            "log_every_n_steps": 1,
            "logger": {
                "_target_": "lightning.pytorch.loggers.CSVLogger",
                "save_dir": str(tmp_path / "exp"),
            },
            "num_sanity_val_steps": 0,
            "callbacks": [PRUNE],
        },
    }


def train(config, folder, resume=None, **trainer):
    """Train into a folder by ESPnet3's stage `train`."""
    from espnet3.systems.base.training import train

    config = copy.deepcopy(config) | {"exp_dir": str(folder)}
    config["trainer"] |= trainer
    config["trainer"]["logger"]["save_dir"] = str(folder)
    config["fit"] = {"ckpt_path": str(resume)} if resume else {}
    train(OmegaConf.create(config))
    return folder


def load(path):
    return torch.load(path, weights_only=True)


def state_of(checkpoint):
    (state,) = (
        state
        for key, state in checkpoint["callbacks"].items()
        if key.startswith("LightningCallback")
    )
    return state


def test_epochs_validated_before_the_end_are_not_best(config, tmp_path):
    """Of epochs 3 and 6 the first has the higher loss, and no final structure."""
    rare = train(config, tmp_path / "rare", check_val_every_n_epoch=3)
    (callbacks,) = state_of(load(rare / "last.ckpt"))["states"]
    assert callbacks["masks"]
    assert {path.name.partition("_")[0] for path in rare.glob("epoch*.ckpt")} == {
        "epoch5"
    }


def test_a_training_by_espnet3(config, tmp_path):
    whole = train(config, tmp_path / "whole")
    checkpoint = load(whole / "last.ckpt")
    state = state_of(checkpoint)
    assert state["step"] == 12
    (masks,) = (own["masks"] for own in state["states"])
    pruned = sum(int((~mask).sum()) for mask in masks.values())
    assert pruned > 0

    # The validation's loss is highest in the first epochs, which are not eligible.
    losses = [loss for _, loss in state["history"]["losses"]]
    is_final = losses[3:]
    assert max(losses) not in is_final, "nothing to tell them apart by"
    best = sorted(range(4, 7), key=lambda epoch: -losses[epoch - 1])[:2]
    kept = {path.name.partition("_")[0] for path in whole.glob("epoch*.ckpt")}
    assert kept == {f"epoch{epoch - 1}" for epoch in best}
    average = load(whole / "valid.loss.ave_2best.pth")
    chosen = [load(path)["state_dict"] for path in whole.glob("epoch*.ckpt")]
    zeros = [
        sum(int((x == 0).sum()) for name, x in model.items() if "tts." in name)
        for model in (average, *chosen, checkpoint["state_dict"])
    ]
    assert len(set(zeros)) == 1 and zeros[0] > pruned
    assert not (whole / "valid.loss.ave_3best.pth").exists()

    # Sparsity is logged in every step.
    (log,) = whole.rglob("metrics.csv")
    with log.open() as lines:
        shares = [row["train/sparsity"] for row in csv.DictReader(lines)]
    shares = [float(value) for value in shares if value]
    assert len(shares) == 12
    assert shares == sorted(shares)
    assert shares[0] == 0 and shares[-1] == pytest.approx(0.3, abs=0.01)
    assert (whole / "images" / "pruning.png").is_file()

    # A training that was stopped goes on to the same weights.
    stop = {"_target_": "random_mels.StopInTheSecondEpoch"}
    half = train(config, tmp_path / "half", callbacks=[PRUNE, stop])
    assert state_of(load(half / "last.ckpt"))["step"] == 4
    again = train(config, tmp_path / "again", resume=half / "last.ckpt")
    resumed, expected = (load(folder / "last.ckpt") for folder in (again, whole))
    for name, value in expected["state_dict"].items():
        assert torch.equal(resumed["state_dict"][name], value)
    (mine,), (other,) = (state_of(x)["states"] for x in (resumed, expected))
    assert all(torch.equal(mine["masks"][name], other["masks"][name]) for name in masks)
    assert state_of(resumed)["history"] == state["history"]

    # But not with other callbacks.
    with pytest.raises(ConfigError, match="^trainer.callbacks: .* other callbacks"):
        train(
            config,
            tmp_path / "other",
            resume=half / "last.ckpt",
            callbacks=[PRUNE | {"pressure": 0.2}],
        )


def test_invalid_options_raise_before_the_first_step(config, tmp_path):
    late = [PRUNE | {"end": 13}]
    with pytest.raises(ConfigError, match="13 is after the training's last, 12"):
        train(config, tmp_path / "late", callbacks=late)
    assert not list((tmp_path / "late").glob("*.ckpt"))
    with pytest.raises(ConfigError, match=r"^trainer.callbacks: no key 'presure'"):
        build_lightning_callback(type="prune", presure=0.5, end=3)
