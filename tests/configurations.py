"""Every text-to-speech configuration of ESPnet's recipes, at its real size.

``python -m tests.configurations`` runs each configuration through each command that
``docs/configurations.csv`` does not have for it, and adds the result; remove the
file to run all (twenty minutes on an idle core). :func:`table` renders that file for
``docs/reliability.md``, which ``python -m tests.reliability`` writes.
"""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
import yaml

from .conftest import make_experiment

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs/configurations.csv"
FEATURES = {"fs": 22050, "n_fft": 1024, "hop_length": 256, "n_mels": 80}
TEXT2WAV = ("vits", "jets", "joint_text2wav")
COMMANDS = {
    "derive": 0.8,
    "prune": 0.5,
    "prune, low rank": 0.5,
    "callback, compact": 0.5,
    "callback with residual width, compact": 0.5,
}
# What works with models of waveforms, which have no weights here; tests of their own try
# it at the same size: test_text2mel_part.py, test_vits_low_rank.py.
TRIED_ALONE = {
    ("joint_text2wav", "derive"),
    ("vits", "prune, low rank"),
}
RESIDUAL = {"prune_also": ["residual"], "stock_compatible": True}


@dataclass(frozen=True)
class Configuration:
    """A model as recipes configure it, and the files that do so."""

    tts: str
    conf: dict
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the recipe and the file that name it first."""
        recipe, *_, file = self.files[0].split("/")
        return f"{recipe}/{Path(file).stem}"


@dataclass(frozen=True)
class Result:
    """What a command made of a configuration.

    Attributes:
        tts: The choice of ``--tts``.
        name: See ``Configuration``.
        recipes: How many files configure the model so.
        command: A key of COMMANDS.
        before, after: Parameters; 0 after a refusal.
        difference: The largest of the outputs on a dummy sentence, as printed.
        loads: ``stock``, ``plugin``, or why the command refuses.
    """

    tts: str
    name: str
    recipes: int
    command: str
    before: int
    after: int
    difference: str
    loads: str

    @property
    def pressure(self) -> float:
        """Return the share of the parameters that were removed."""
        return 1 - self.after / self.before


def recipe_tree() -> Path | None:
    """Return ESPnet's recipes, if they are on this machine."""
    import espnet_distill.utils.espnet_root as root
    from espnet_distill.utils.files import cache_folder

    trees = [os.environ.get("ESPNET_ROOT"), *sorted(cache_folder().glob("espnet-*"))]
    found = (Path(tree) for tree in trees if tree)
    return next((tree for tree in found if (tree / root.TTS_SH).is_file()), None)


def find_configurations(tree: Path) -> list[Configuration]:
    """Return the distinct models of ``egs2/*/tts1/conf``, in their files' order."""
    found: dict[str, list[str]] = {}
    for path in sorted(tree.glob("egs2/*/tts1/conf/**/*.yaml")):
        conf = yaml.safe_load(path.read_text())
        if isinstance(conf, dict) and "tts" in conf:
            key = json.dumps([conf["tts"], conf.get("tts_conf") or {}], sort_keys=True)
            found.setdefault(key, []).append(str(path.relative_to(tree / "egs2")))
    return [Configuration(*json.loads(key), tuple(own)) for key, own in found.items()]


def experiment_of(configuration: Configuration, folder: Path) -> Path:
    """Write an experiment with random weights; of text-to-wav none but their file."""
    if configuration.tts in TEXT2WAV:
        folder.mkdir()
        conf = {"tts": configuration.tts, "tts_conf": configuration.conf}
        (folder / "config.yaml").write_text(yaml.safe_dump(conf))
        torch.save({}, folder / "model.pth")
        return folder
    model = {"tts": configuration.tts, "tts_conf": configuration.conf}
    return make_experiment(folder, **model, feats_extract_conf=FEATURES)


def commands_for(configuration: Configuration) -> list[str]:
    """Return the keys of COMMANDS that are tried on a configuration."""
    tts = configuration.tts
    return [command for command in COMMANDS if (tts, command) not in TRIED_ALONE]


def run(
    configuration: Configuration, command: str, experiment: Path, out: Path
) -> Result:
    """Run a command on an experiment and load what it wrote, strictly."""
    own = configuration.tts, configuration.name, len(configuration.files), command
    before = _parameters(experiment / "train.loss.ave.pth")
    try:
        status, printed, error = _run(command, experiment, out)
    except Exception as unexpected:
        return Result(*own, before, 0, "", f"{type(unexpected).__name__}: {unexpected}")
    if status:
        return Result(*own, before, 0, "", _reason(error))
    kind, after = _load(out)
    found = re.search(r"Largest difference .*: (\S+) \(", printed)
    return Result(*own, before, after, found[1] if found else "", kind)


def _run(command: str, experiment: Path, out: Path) -> tuple[int, str, str]:
    from espnet_distill.cli.main import main

    pressure = str(COMMANDS[command])
    arguments = {
        "derive": ["derive", experiment, out, "--pressure", pressure],
        "prune": ["prune", experiment, out, "--pressure", pressure],
        "prune, low rank": [
            *("prune", experiment, out, "--pressure", pressure, "--low-rank")
        ],
    }.get(command)
    printed, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(error):
        if arguments is None:
            options = RESIDUAL if "residual" in command else {}
            masked = out.with_name(f"{out.name}_masked")
            if reason := _mask(experiment, masked, float(pressure), options):
                return 2, "", reason
            arguments = ["compact", masked, out]
        status = main(list(map(str, arguments)))
    return status, printed.getvalue(), error.getvalue()


def _mask(experiment: Path, out: Path, pressure: float, options: dict) -> str | None:
    """Prune by a callback whose one step trains nothing; return why it refuses."""
    from espnet_distill.errors import ConfigError
    from espnet_distill.experiments.experiment import Experiment
    from espnet_distill.tasks.text2mel import require_text2mel
    from espnet_distill.training.callback import TrainingContext
    from espnet_distill.training.registry import build_callback

    opened = Experiment(experiment)
    conf = opened.config
    schedule = {"schedule": "one_shot", "start": 1, "pressure": pressure}
    callback = build_callback({"type": "prune", **schedule, **options})
    callback.use_model_conf(conf["tts_conf"])
    try:
        require_text2mel(type("Arguments", (), {"tts": conf["tts"]}))
        model = opened.build()
        callback.attach(model)
        callback.on_train_start(TrainingContext(model, (), 1, 1))
    except ConfigError as error:
        return f"error: {error}"
    callback.on_step_end(1)
    out.mkdir()
    shutil.copy(opened.config_file, out / "config.yaml")
    torch.save(model.state_dict(), out / "train.loss.ave.pth")
    return None


def _reason(error: str) -> str:
    (line,) = [line for line in error.splitlines() if "error: " in line]
    return re.sub(r"^\S*config\.yaml: ", "", line.partition("error: ")[2])


def _parameters(checkpoint: Path) -> int:
    """Count a model's parameters, as far as its checkpoint is there."""
    if not checkpoint.is_file():
        return 0
    state = torch.load(checkpoint, map_location="meta", weights_only=True)
    return sum(
        tensor.numel()
        for name, tensor in state.items()
        if name.startswith("tts.") and not re.search(r"running_|num_batches", name)
    )


def _load(out: Path) -> tuple[str, int]:
    """Load an experiment strictly; return whose class it is, and its parameters."""
    from espnet2.tasks.tts import TTSTask

    from espnet_distill.structure.config_dims import count, shapes_of

    model, _ = TTSTask.build_model_from_file(out / "config.yaml")
    (weights,) = out.glob("*.pth")
    model.load_state_dict(torch.load(weights, weights_only=True))
    is_stock = type(model.tts).__module__.startswith("espnet2.")
    return "stock" if is_stock else "plugin", count(shapes_of(model.tts))


def write(results: Iterable[Result], path: Path = RESULTS) -> None:
    """Write results as a table of values."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)])
        writer.writeheader()
        writer.writerows(map(asdict, results))


def read(path: Path = RESULTS) -> list[Result]:
    """Read what :func:`write` wrote."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = ("recipes", "before", "after")
    return [Result(**row | {key: int(row[key]) for key in numbers}) for row in rows]


def table(path: Path = RESULTS) -> str:
    """Render the results: a line a configuration, a column a command."""
    results = read(path)
    columns = ["configuration", "recipes", "parameters", *COMMANDS]
    lines = [f"| {' | '.join(columns)} |", "|---|---:|---:|" + "---|" * len(COMMANDS)]
    notes: dict[str, int] = {}
    for tts, name in dict.fromkeys((one.tts, one.name) for one in results):
        own = [one for one in results if (one.tts, one.name) == (tts, name)]
        before = f"{own[0].before:,}" if own[0].before else ""
        cells = {one.command: _cell(one, notes) for one in own}
        row = [f"{tts}, {name}", str(own[0].recipes), before]
        row += [cells.get(command, "[vits.md](vits.md)") for command in COMMANDS]
        lines.append(f"| {' | '.join(row)} |")
    lines += ["", *(f"{number}. {reason}" for reason, number in notes.items())]
    return "\n".join(lines)


def _cell(result: Result, notes: dict[str, int]) -> str:
    if not result.after:
        return f"refused ({notes.setdefault(result.loads, len(notes) + 1)})"
    difference = f", {result.difference}" if result.difference else ""
    return f"{result.after:,} ({result.pressure:.3f}{difference})"


def main() -> None:
    """Run what the results lack, or of that the choices of ``--tts`` that are given."""
    import logging

    import espnet_distill

    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    espnet_distill.register()
    results = read() if RESULTS.exists() else []
    known = {(one.tts, one.name, one.command) for one in results}
    for configuration in find_configurations(recipe_tree()):
        is_chosen = configuration.tts in sys.argv[1:] or not sys.argv[1:]
        lacking = [
            command
            for command in commands_for(configuration)
            if (configuration.tts, configuration.name, command) not in known
        ]
        if is_chosen and lacking:
            results += _run_all(configuration, lacking)
            write(results)
    print("now run: python -m tests.reliability > docs/reliability.md")


def _run_all(configuration: Configuration, commands: list[str]) -> list[Result]:
    with tempfile.TemporaryDirectory() as scratch:
        with contextlib.redirect_stdout(io.StringIO()):
            experiment = experiment_of(configuration, Path(scratch) / "exp")
        found = []
        for number, command in enumerate(commands):
            out = Path(scratch) / f"out{number}"
            found.append(run(configuration, command, experiment, out))
            print(found[-1], flush=True)
        return found


if __name__ == "__main__":
    main()
