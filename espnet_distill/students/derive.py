"""A student cut out of its teacher, as an ESPnet experiment to train."""

import argparse
from pathlib import Path

from espnet2.tasks.tts import TTSTask
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer

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
from espnet_distill.utils.files import folder_written_whole
from espnet_distill.utils.markdown import aligned

SUPPORTED = (FastSpeech2, FastSpeech, Tacotron2, Transformer)


def derive(args: argparse.Namespace) -> str:
    """Write a student's configuration and its initial weights into a new folder.

    ``args.out`` gets ``config.yaml`` and ``init.pth``, an experiment that stock ESPnet
    loads, with the teacher's features and tokens; and ``train.yaml``, a training
    configuration with its ``init_param`` set.

    Args:
        args: What ``espnet-distill derive`` was given.

    Returns:
        A table of teacher and student.

    Raises:
        ConfigError: A teacher of another class, a size that no shape has, or a student
            that is larger somewhere.
    """
    config, checkpoint = find_experiment(args.teacher)
    conf = read_config(config)
    require_supported(conf["tts"], config, "student can be derived from")
    training = read_config(args.config) if args.config else training_of(conf)
    training["tts_conf"] = dict(training.get("tts_conf") or {})
    if training["tts"] != conf["tts"]:
        raise ConfigError(
            f"{args.config}: tts: {training['tts']}; the teacher is {conf['tts']}"
        )
    teacher, names = load_experiment(config, checkpoint)
    tts, frames = teacher.tts, frames_a_second(teacher)
    if args.budget_rtf and frames is None:
        raise ConfigError(
            f"--budget-rtf: {config} has odim, so nothing tells how many frames a "
            "second has; give --pressure or --budget-params"
        )
    losses = args.data and calibration_losses(args.data, args.durations, teacher, names)
    sizes = Sizes(type(tts), tts.idim, tts.odim, conf["tts_conf"])
    before = cost(tts)
    if not args.config:
        training["tts_conf"] |= choose_sizes(args, tts, sizes, frames)
    with folder_written_whole(args.out) as beside:
        student, narrowed = _write(beside, conf, training, teacher, sizes, args, losses)
        write_training(beside, training, args.out / "init.pth")
    confs = [with_defaults(type(tts), c["tts_conf"]) for c in (conf, training)]
    return _table(confs, (before, cost(student.tts)), frames, narrowed)


def require_supported(tts: str, config: Path, what: str) -> None:
    """Raise a ConfigError unless a choice of `--tts` is a class that is cut out of."""
    kind = class_of(tts, config)
    if kind not in SUPPORTED:
        names = ", ".join(kind.__name__ for kind in SUPPORTED)
        raise ConfigError(f"{config}: no {what} {kind.__name__}, only from {names}")


def _write(folder: Path, conf, training, teacher, sizes, args, losses) -> tuple:
    """Write config.yaml and init.pth; return the student and how it was cut."""
    conf = conf | {"tts_conf": training["tts_conf"]}
    path = write_portable(conf, folder / "config.yaml")
    student, _ = TTSTask.build_model_from_file(path)
    narrowed = initialise(
        student.tts, teacher.tts, sizes, conf["tts_conf"], args.importance, losses
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
