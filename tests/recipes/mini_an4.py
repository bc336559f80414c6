"""Copies of egs/mini_an4, and its scripts called in them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MADE = ("data", "dump", "exp", "downloads", "utils", "steps", "scripts", "pyscripts")


def run(recipe, *options, script="./run.sh"):
    """Call a script of the recipe with this interpreter's programs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [script, *map(str, options)]
    if script.startswith("./run"):
        command[1:1] = ["--num_threads", "1"]
    environment = os.environ | {"PATH": path}
    return subprocess.run(
        command, cwd=recipe, env=environment, capture_output=True, text=True
    )


def copy_recipe(root):
    """Copy what git has of the recipe and of what it leans on."""
    leave_out = shutil.ignore_patterns(*MADE, "sid", "tts.sh")
    for name in ("TEMPLATE", "mini_an4"):
        shutil.copytree(
            ROOT / "egs" / name, root / "egs" / name, symlinks=True, ignore=leave_out
        )
    shutil.copytree(ROOT / "conf", root / "conf")
    return root / "egs" / "mini_an4" / "tts1"
