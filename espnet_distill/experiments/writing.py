"""The files of an experiment that was cut out of another."""

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch
import yaml
from torch import nn

from espnet_distill.experiments.experiment import STATISTICS
from espnet_distill.utils.files import write_tensors

# What a training configuration has of a finished experiment's.
TRAINING_KEYS = (
    *("tts", "tts_conf", "odim", "feats_extract", "feats_extract_conf", "normalize"),
    *("pitch_extract", "pitch_extract_conf", "pitch_normalize"),
    *("energy_extract", "energy_extract_conf", "energy_normalize"),
    *("optim", "optim_conf", "scheduler", "scheduler_conf", "grad_clip", "accum_grad"),
    *("num_iters_per_epoch", "max_epoch", "patience", "seed", "num_workers"),
    *("batch_type", "batch_size", "batch_bins", "sort_in_batch", "sort_batch"),
    *("keep_nbest_models", "best_model_criterion", "num_att_plot"),
)


def training_of(conf: Mapping) -> dict:
    """Return the training configuration of a finished experiment's configuration."""
    return {key: conf[key] for key in TRAINING_KEYS if conf.get(key) is not None}


def write_training(folder: Path, training: Mapping, weights: Path) -> None:
    """Write ``train.yaml``, which stock ESPnet trains on from some weights."""
    conf = dict(training) | {"init_param": [f"{weights}:tts:tts"]}
    (folder / "train.yaml").write_text(yaml.safe_dump(conf, sort_keys=False))


def save_weights(
    path: Path,
    student: nn.Module,
    origin: nn.Module,
    like: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Save an ESPnet model's weights, with the features' part of another one's.

    Args:
        path: The file.
        student: The model.
        origin: Of which it has the features.
        like: Tensors whose precision those of their names are saved in; weights
            of another name are saved in that which most of them have.
    """
    features, like = origin.state_dict(), like or {}
    state = {
        name: tensor if name.startswith("tts.") else features[name]
        for name, tensor in student.state_dict().items()
    }
    state = {
        name: tensor.to(_precision(name, tensor, like))
        for name, tensor in state.items()
    }
    write_tensors(path, state)


def _precision(
    name: str, tensor: torch.Tensor, like: Mapping[str, torch.Tensor]
) -> torch.dtype:
    if name in like:
        return like[name].dtype
    if not (name.startswith("tts.") and tensor.is_floating_point()):
        return tensor.dtype
    others = (w for n, w in like.items() if n.startswith("tts."))
    usual = Counter(w.dtype for w in others if w.is_floating_point()).most_common(1)
    return usual[0][0] if usual else tensor.dtype


def with_statistics_in(conf: Mapping, folder: Path, final: Path) -> dict:
    """Copy the statistics that a configuration names into a folder.

    Returns the configuration that names the copies, where the folder is to be finally.
    """
    conf = dict(conf)
    for key, kind in STATISTICS.items():
        source = (conf.get(key) or {}).get("stats_file")
        if source:
            name = f"{kind}_stats.npz"
            shutil.copyfile(source, folder / name)
            conf[key] = conf[key] | {"stats_file": str(final.absolute() / name)}
    return conf
