"""Write the files of an experiment that is derived from another one."""

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch
import yaml
from torch import nn

from espnet_distill.experiments.experiment import STATISTICS
from espnet_distill.utils.files import write_tensors

# Keys of a finished experiment's configuration that a training configuration takes.
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
    """Write ``train.yaml``, with which stock ESPnet continues training some weights.

    Args:
        folder: The folder of ``train.yaml``.
        training: The training configuration.
        weights: The checkpoint with the initial weights.
    """
    conf = dict(training) | {"init_param": [f"{weights}:tts:tts"]}
    (folder / "train.yaml").write_text(yaml.safe_dump(conf, sort_keys=False))


def save_weights(
    path: Path,
    student: nn.Module,
    origin: nn.Module,
    like: Mapping[str, torch.Tensor] | None = None,
) -> None:
    """Save an ESPnet model's weights, with the feature extraction's tensors of another.

    Args:
        path: The file.
        student: The model whose ``tts.*`` tensors are saved.
        origin: The model whose other tensors (feature statistics) are saved.
        like: Tensors whose dtype tensors of the same name are saved with;
            floating-point weights of other names are saved with the most common dtype.
    """
    features, like = origin.state_dict(), like or {}
    state = {
        name: tensor if name.startswith("tts.") else features[name]
        for name, tensor in student.state_dict().items()
    }
    state = {
        name: tensor.to(_dtype_for(name, tensor, like))
        for name, tensor in state.items()
    }
    write_tensors(path, state)


def _dtype_for(
    name: str, tensor: torch.Tensor, like: Mapping[str, torch.Tensor]
) -> torch.dtype:
    if name in like:
        return like[name].dtype
    if not (name.startswith("tts.") and tensor.is_floating_point()):
        return tensor.dtype
    weights = (w for n, w in like.items() if n.startswith("tts."))
    dtypes = Counter(w.dtype for w in weights if w.is_floating_point()).most_common(1)
    return dtypes[0][0] if dtypes else tensor.dtype


def with_statistics_in(conf: Mapping, folder: Path, final: Path) -> dict:
    """Copy the statistics that a configuration names into a folder.

    Args:
        conf: The configuration.
        folder: The folder of the copies.
        final: The path that the folder is renamed to later.

    Returns:
        The configuration with the paths of the copies in ``final``.
    """
    conf = dict(conf)
    for key, kind in STATISTICS.items():
        source = (conf.get(key) or {}).get("stats_file")
        if source:
            name = f"{kind}_stats.npz"
            shutil.copyfile(source, folder / name)
            conf[key] = conf[key] | {"stats_file": str(final.absolute() / name)}
    return conf
