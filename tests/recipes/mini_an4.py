"""Copies of egs/mini_an4, and calls of its scripts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
MADE = ("data", "dump", "exp", "downloads", "utils", "steps", "scripts", "pyscripts")


TACOTRON2 = {
    "tts": "tacotron2",
    "tts_conf": {
        "embed_dim": 16,
        "elayers": 1,
        "eunits": 16,
        "econv_layers": 1,
        "econv_chans": 16,
        "dlayers": 1,
        "dunits": 32,
        "prenet_units": 16,
        "adim": 16,
        "aconv_chans": 4,
        "aconv_filts": 5,
        "postnet_layers": 0,
    },
    "optim": "adam",
    "max_epoch": 1,
    "num_iters_per_epoch": 2,
    "batch_type": "sorted",
    "batch_size": 4,
    "num_workers": 1,
    "num_att_plot": 0,
    "best_model_criterion": [["train", "loss", "min"]],
}


def tacotron2(**tts_conf):
    """A training configuration of a tiny Tacotron2, with more arguments."""
    conf = TACOTRON2 | {"tts_conf": TACOTRON2["tts_conf"] | tts_conf}
    return yaml.safe_dump(conf)


def run(recipe, *options, script="./run.sh", **environment):
    """Call a script of the recipe with this interpreter's programs.

    More environment variables are keyword arguments.
    """
    environment = os.environ | environment
    path = f"{Path(sys.executable).parent}:{environment['PATH']}"
    command = [script, *map(str, options)]
    if script.startswith("./run"):
        command[1:1] = ["--num_threads", "1"]
    environment["PATH"] = path
    return subprocess.run(
        command, cwd=recipe, env=environment, capture_output=True, text=True
    )


def copy_recipe(root):
    """Copy the tracked files of the recipe and of its dependencies."""
    leave_out = shutil.ignore_patterns(*MADE, "sid", "tts.sh")
    for name in ("TEMPLATE", "mini_an4"):
        shutil.copytree(
            ROOT / "egs" / name, root / "egs" / name, symlinks=True, ignore=leave_out
        )
    shutil.copytree(ROOT / "conf", root / "conf")
    return root / "egs" / "mini_an4" / "tts1"


def two_updates(recipe):
    """Write a training configuration of two vocoder updates; return its options."""
    config = yaml.safe_load((ROOT / "conf/training/vocoder.yaml").read_text())
    config |= {"num_iters_per_epoch": 2, "max_epoch": 1, "batch_size": 2}
    config["model_conf"] |= {"adversarial_start": 1}
    (recipe / "conf/vocoder.yaml").write_text(yaml.safe_dump(config))
    return ["--vocoder_preset", "istft_nano", "--vocoder_config", "conf/vocoder.yaml"]
