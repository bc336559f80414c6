"""A student cut out of its teacher, as an ESPnet experiment to train."""

import argparse
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from espnet2.tasks.tts import TTSTask
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer

import espnet_distill
from espnet_distill.data.calibration import calibration_losses
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import (
    find_experiment,
    load_experiment,
    read_config,
)
from espnet_distill.experiments.portable_config import write_portable
from espnet_distill.experiments.writing import save_weights, training_of, write_training
from espnet_distill.profiling.dummy_input import Cost, cost
from espnet_distill.students.init_from_teacher import Narrowed, initialise
from espnet_distill.students.size_search import Sizes, choose_sizes, with_defaults
from espnet_distill.teachers.taps import class_of
from espnet_distill.utils.files import folder_written_whole, require_new
from espnet_distill.utils.markdown import aligned

SUPPORTED = (FastSpeech2, FastSpeech, Tacotron2, Transformer)
ALLOCATIONS = ("params", "macs", "latency")
IMPORTANCES = ("magnitude", "wanda", "taylor", "random")


def derive(
    teacher: str | Path,
    out: str | Path,
    *,
    pressure: float | None = None,
    parameters: int | None = None,
    rtf: float | None = None,
    student_config: str | Path | None = None,
    allocate_by: str = "params",
    keep: Iterable[str] = (),
    floor: Mapping[str, int] | None = None,
    importance: str = "magnitude",
    data: str | Path | None = None,
    durations: str | Path | None = None,
) -> str:
    """Write a student's configuration and its initial weights into a new folder.

    The folder gets ``config.yaml`` and ``init.pth``, an experiment that stock ESPnet
    loads, with the teacher's features and tokens; and ``train.yaml``, a training
    configuration with its ``init_param`` set. The plugin is registered.

    The student's size is one of ``pressure``, ``parameters``, ``rtf`` and
    ``student_config``.

    Args:
        teacher: Experiment folder, ``.pth``, ``.zip`` or tag.
        out: The folder to make.
        pressure: Share of the teacher's parameters to remove, from 0 to below 1.
        parameters: Number of parameters of the student.
        rtf: Real-time factor of the student, text to mel, on one thread of this
            machine: seconds of computing per second of speech.
        student_config: Training configuration (YAML) of a student of the teacher's
            class.
        allocate_by: Of the shapes with the number of parameters, ``params`` takes the
            one most like the teacher, ``macs`` the one of fewest operations, and
            ``latency`` the fastest on this machine.
        keep: Keys of ``tts_conf`` whose values stay; ``depth`` and ``width`` stand
            for all such keys.
        floor: Smallest value of a size, by its key of ``tts_conf``.
        importance: Criterion that ranks units: ``magnitude``, ``wanda``,
            ``taylor`` or ``random``.
        data: ESPnet data folder (``text``, ``wav.scp``) whose first utterances are the
            calibration data of ``wanda`` and ``taylor``.
        durations: ESPnet durations file of ``data``: frames per token, for a model
            that is trained with durations.

    Returns:
        A Markdown table of teacher and student: sizes, parameters, MMAC per second of
        speech and RTF; and the pressure reached.

    Raises:
        ConfigError: Arguments that exclude each other, a teacher of a class without
            students, a size that no shape has, a student that is larger somewhere, or
            data that the teacher cannot use. Nothing is written then.
    """
    out = Path(out)
    student_config = Path(student_config) if student_config else None
    budget = argparse.Namespace(
        pressure=pressure,
        budget_params=parameters,
        budget_rtf=rtf,
        objective=allocate_by,
        keep=list(keep),
        floor=dict(floor or {}),
    )
    require_new(out)
    _require_budget(budget, student_config)
    _require_importance(importance, data)
    espnet_distill.register()
    teacher_config, checkpoint = find_experiment(teacher)
    conf = read_config(teacher_config)
    require_supported(conf["tts"], teacher_config, "student can be derived from")
    training = read_config(student_config) if student_config else training_of(conf)
    training["tts_conf"] = dict(training.get("tts_conf") or {})
    if training["tts"] != conf["tts"]:
        raise ConfigError(
            f"{student_config}: tts: {training['tts']}; the teacher is {conf['tts']}"
        )
    model, names = load_experiment(teacher_config, checkpoint)
    tts, frames = model.tts, frames_a_second(model)
    if rtf and frames is None:
        raise ConfigError(
            f"--budget-rtf: {teacher_config} has odim, so nothing tells how many "
            "frames a second has; give --pressure or --budget-params"
        )
    losses = None
    if data:
        durations = Path(durations) if durations else None
        losses = calibration_losses(Path(data), durations, model, names)
    sizes = Sizes(type(tts), tts.idim, tts.odim, conf["tts_conf"])
    before = cost(tts)
    if not student_config:
        training["tts_conf"] |= choose_sizes(budget, tts, sizes, frames)
    with folder_written_whole(out) as beside:
        student_conf = conf | {"tts_conf": training["tts_conf"]}
        student, narrowed = _write(
            beside, student_conf, model, sizes, importance, losses
        )
        write_training(beside, training, out / "init.pth")
    confs = [with_defaults(type(tts), c["tts_conf"]) for c in (conf, training)]
    return _table(confs, (before, cost(student.tts)), frames, narrowed)


def _require_budget(budget: argparse.Namespace, student_config: Path | None) -> None:
    """Raise a ConfigError unless a student's size is given, once and in range."""
    pressure, parameters = budget.pressure, budget.budget_params
    given = (pressure, parameters, budget.budget_rtf, student_config)
    if sum(value is not None for value in given) != 1:
        raise ConfigError(
            "derive: give one of pressure, parameters, rtf and student_config"
        )
    _require_one_of("allocate_by", budget.objective, ALLOCATIONS)
    if pressure is not None and not 0 <= pressure < 1:
        raise ConfigError(f"--pressure: {pressure} is not from 0 to below 1")
    if parameters is not None and parameters < 1:
        raise ConfigError(f"--budget-params: {parameters} is not above 0")
    if student_config and (budget.keep or budget.floor or budget.objective != "params"):
        raise ConfigError(
            "--student-config: sets every size; leave out --allocate-by, --keep "
            "and --floor"
        )
    if budget.budget_rtf is not None and not 0 < budget.budget_rtf < math.inf:
        raise ConfigError(f"--budget-rtf: {budget.budget_rtf} is not above 0")


def _require_importance(importance: str, data: str | Path | None) -> None:
    """Raise a ConfigError for an unknown criterion or one that lacks its data."""
    _require_one_of("importance", importance, IMPORTANCES)
    if importance in ("wanda", "taylor") and not data:
        raise ConfigError(f"--importance {importance}: wants --data")


def _require_one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}: no {value!r}; there is {', '.join(choices)}")


def require_supported(tts: str, config: Path, what: str) -> None:
    """Raise a ConfigError unless a choice of `--tts` is a class that is cut out of."""
    kind = class_of(tts, config)
    if kind not in SUPPORTED:
        names = ", ".join(kind.__name__ for kind in SUPPORTED)
        raise ConfigError(f"{config}: no {what} {kind.__name__}, only from {names}")


def _write(
    folder: Path,
    conf: dict,
    teacher,
    sizes: Sizes,
    importance: str,
    losses: Iterator | None,
) -> tuple:
    """Write config.yaml and init.pth; return the student and its initialization."""
    path = write_portable(conf, folder / "config.yaml")
    student, _ = TTSTask.build_model_from_file(path)
    narrowed = initialise(
        student.tts, teacher.tts, sizes, conf["tts_conf"], importance, losses
    )
    save_weights(folder / "init.pth", student, teacher)
    return student, narrowed


def frames_a_second(model) -> float | None:
    """Mel frames in a second of an ESPnetTTSModel's speech, None where none can tell.

    A model that was trained on features from its data (``odim``) has no extractor.
    """
    if model.feats_extract is None:
        return None
    parameters = model.feats_extract.get_parameters()
    return parameters["fs"] / parameters["n_shift"]


def _table(
    confs: list[dict],
    costs: tuple[Cost, Cost],
    frames: float | None,
    narrowed: Narrowed,
) -> str:
    """Teacher and student side by side, a size a line."""
    changed = [key for key in confs[0] if confs[0][key] != confs[1].get(key)]
    units = "MMAC a second of speech", "RTF, one thread"
    scales = frames, frames
    if frames is None:
        units, scales = ("MMAC a frame", "ms a frame, one thread"), (1, 1000)
    columns = {"": [*changed, "parameters", *units]}
    for title, conf, found in zip(("teacher", "student"), confs, costs):
        columns[title] = [
            *(str(conf.get(key)) for key in changed),
            f"{found.parameters:,}",
            f"{found.macs * scales[0] / 1e6:,.{0 if frames else 3}f}",
            f"{found.seconds * scales[1]:.4f}",
        ]
    pressure = 1 - costs[1].parameters / costs[0].parameters
    lines = [aligned(columns), f"Pressure {pressure:.3f}."]
    if narrowed.own:
        lines.append(f"Not the teacher's: {', '.join(narrowed.own)}.")
    return "\n\n".join(lines)
