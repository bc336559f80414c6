"""Commands that train on, synthesize with and evaluate a pruned experiment."""

import shlex
from pathlib import Path

# A recipe's script that calls distill.sh, by the file that shows it.
SCRIPTS = {"distill.sh": "./run.sh", "run_distill.sh": "./run_distill.sh"}
WITH_PLUGIN = '--python "python3 -m espnet_distill" '


def fine_tuning(folder: Path, needs_plugin: bool) -> str:
    """Return the command that trains an experiment on, in the recipe of this process.

    A recipe of this package trains with its teacher, an ESPnet recipe on the recordings.

    Args:
        folder: The experiment.
        needs_plugin: Whether stock ESPnet lacks its model class.
    """
    train_config = shlex.quote(str(folder / "train.yaml"))
    if Path("distill.sh").exists():
        tag = shlex.quote(f"{_tag(folder) or folder.name}_tuned")
        return (
            f'./run.sh --stage 6 --stop_stage 8 --student "" --student_config '
            f"{train_config} --student_tag {tag} --evaldir exp/{tag}/evaluation"
        )
    return (
        f"./run.sh {WITH_PLUGIN * needs_plugin}--stage 7 --stop_stage 7 "
        f"--train_config {train_config} --tag {shlex.quote(folder.name)}"
    )


def synthesis(folder: Path, needs_plugin: bool) -> str:
    """Return the command that synthesizes with an experiment.

    With distill.sh it also evaluates, if the experiment is below ``exp``.

    Args:
        folder: The experiment.
        needs_plugin: Whether stock ESPnet lacks its model class.
    """
    tag = _tag(folder)
    scripts = [script for file, script in SCRIPTS.items() if Path(file).exists()]
    if scripts and tag:
        tag = shlex.quote(tag)
        return (
            f"{scripts[0]} --stage 7 --stop_stage 8 --student_tag {tag} "
            f"--evaldir exp/{tag}/evaluation"
        )
    return (
        f"./run.sh {WITH_PLUGIN * needs_plugin}--stage 8 --stop_stage 8 "
        f"--tts_exp {shlex.quote(str(folder))} --inference_model model.pth"
    )


def _tag(folder: Path) -> str | None:
    """Return the path of an experiment below ``exp``, or None elsewhere."""
    path, root = folder.absolute(), Path("exp").absolute()
    return str(path.relative_to(root)) if path.is_relative_to(root) else None
