"""The training configuration that continues from an experiment's weights."""

from collections.abc import Mapping
from pathlib import Path

import yaml

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
