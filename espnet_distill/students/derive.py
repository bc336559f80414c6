"""Derive a student from its teacher: smaller sizes, the teacher's weights."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer

import espnet_distill
from espnet_distill.data.calibration import read_calibration
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import read_config
from espnet_distill.experiments.experiment import Experiment, require_origin
from espnet_distill.experiments.ids import without_speakers
from espnet_distill.experiments.text_to_wave import text2mel_class
from espnet_distill.experiments.training_config import training_of
from espnet_distill.profiling.dummy_input import cost
from espnet_distill.students.init_from_teacher import initialize
from espnet_distill.students.one_speaker import one_speaker
from espnet_distill.students.size_search import (
    SizeBudget,
    Sizes,
    choose_sizes,
    with_defaults,
)
from espnet_distill.students.text2mel_part import as_text2mel
from espnet_distill.teachers.taps import class_of
from espnet_distill.utils.markdown import aligned

SUPPORTED = (FastSpeech2, FastSpeech, Tacotron2, Transformer)
ALLOCATIONS = ("params", "macs", "latency")
IMPORTANCES = ("magnitude", "wanda", "taylor", "random")


def derive(
    teacher: Experiment | str | Path,
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
    speaker: str | None = None,
) -> Experiment:
    """Make a student of its teacher's class, initialized with its teacher's weights.

    The student's size is one of ``pressure``, ``parameters``, ``rtf`` and
    ``student_config``.

    Args:
        teacher: An experiment, or a folder, ``.pth``, ``.zip`` or tag of one.
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
        speaker: Name of the teacher's speaker that a student of one speaker
            synthesizes as; None keeps the teacher's speakers.

    Returns:
        The student in memory, with the teacher's features and tokens.
        :meth:`~.Experiment.save` writes ``config.yaml`` and ``init.pth``, which stock
        ESPnet loads, and ``train.yaml``, a training configuration with its
        ``init_param`` set; :func:`describe` compares it with its teacher.

    A JointText2Wav is sliced as its text-to-mel part, a JETS as a FastSpeech2, whose
    `feat_out` is not the teacher's.

    Raises:
        ConfigError: Arguments that exclude each other, a teacher of a class without
            students, a size that no shape has, a student that is larger somewhere, or
            data that the teacher cannot use.
    """
    student_config = Path(student_config) if student_config else None
    budget = SizeBudget(
        pressure, parameters, rtf, allocate_by, tuple(keep), dict(floor or {})
    )
    _require_budget(budget, student_config)
    _require_importance(importance, data)
    espnet_distill.register()
    given = Experiment.of(teacher)
    teacher = _text2mel_of(given, student_config, speaker)
    conf = teacher.config
    require_supported(conf["tts"], teacher, "derive")
    if speaker:
        teacher = one_speaker(teacher, speaker, exact=False)
        conf = teacher.config
    training = read_config(student_config) if student_config else training_of(conf)
    training["tts_conf"] = dict(training.get("tts_conf") or {})
    if speaker:
        training["tts_conf"] = without_speakers(training["tts_conf"])
    if training["tts"] != conf["tts"]:
        raise ConfigError(
            f"{student_config}: tts: {training['tts']}; the teacher is {conf['tts']}"
        )
    tts, frames = teacher.model.tts, teacher.frames_per_second
    if rtf and frames is None:
        raise ConfigError(
            f"--budget-rtf: {teacher} has odim, so the number of frames per second is "
            "unknown; give --pressure or --budget-params"
        )
    sliced = teacher.clone()  # its layers are removed in place
    calibration = read_calibration(sliced, data, durations) if data else None
    sizes = Sizes(type(tts), tts.idim, tts.odim, conf["tts_conf"])
    if not student_config:
        training["tts_conf"] |= choose_sizes(budget, tts, sizes, frames)
    student_conf = training["tts_conf"]
    student = teacher.build_untrained(student_conf)
    initial = initialize(
        student.tts, sliced.model.tts, sizes, student_conf, importance, calibration
    )
    return teacher.with_model(
        conf["tts"],
        student_conf,
        initial.state,
        training=training,
        weights_name="init.pth",
        full_precision=True,
        notes=[
            *(() if teacher is given else teacher.notes),
            *_note_of(initial.untouched),
        ],
    )


def _text2mel_of(
    teacher: Experiment, student_config: Path | None, speaker: str | None
) -> Experiment:
    """Return the model that is sliced: of text-to-waveform models the text-to-mel part.

    Raises:
        ConfigError: A JETS without a student's configuration, since its own trains a
            GAN; a part for one speaker.
    """
    tts, part = teacher.config["tts"], text2mel_class(teacher.config)
    if part in (None, tts):
        return teacher
    if speaker:
        raise ConfigError(
            f"--speaker {speaker}: {teacher}: tts: {tts}: the speakers of its "
            "text-to-mel part stay; leave --speaker out"
        )
    if not student_config and tts != "joint_text2wav":
        raise ConfigError(
            f"{teacher}: tts: {tts}: has no training configuration of a text-to-mel "
            "model; name one by --student-config"
        )
    return as_text2mel(teacher)


def _note_of(untouched: list[str]) -> list[str]:
    return [f"Not the teacher's: {', '.join(untouched)}."] if untouched else []


def _require_budget(budget: SizeBudget, student_config: Path | None) -> None:
    """Raise a ConfigError unless a student's size is given, once and in range."""
    pressure, parameters, rtf = budget.pressure, budget.parameters, budget.rtf
    given = (pressure, parameters, rtf, student_config)
    if sum(value is not None for value in given) != 1:
        raise ConfigError(
            "derive: give one of pressure, parameters, rtf and student_config"
        )
    _require_one_of("allocate_by", budget.allocate_by, ALLOCATIONS)
    if pressure is not None and not 0 <= pressure < 1:
        raise ConfigError(f"--pressure: {pressure} is not from 0 to below 1")
    if parameters is not None and parameters < 1:
        raise ConfigError(f"--budget-params: {parameters} is not above 0")
    is_chosen = budget.keep or budget.floor or budget.allocate_by != "params"
    if student_config and is_chosen:
        raise ConfigError(
            "--student-config: sets every size; leave out --allocate-by, --keep "
            "and --floor"
        )
    if rtf is not None and not 0 < rtf < math.inf:
        raise ConfigError(f"--budget-rtf: {rtf} is not above 0")


def _require_importance(importance: str, data: str | Path | None) -> None:
    """Raise a ConfigError for an unknown criterion or one that lacks its data."""
    _require_one_of("importance", importance, IMPORTANCES)
    if importance in ("wanda", "taylor") and not data:
        raise ConfigError(f"--importance {importance}: requires --data")


def _require_one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}: no {value!r}; there is {', '.join(choices)}")


def require_supported(tts: str, experiment, what: str) -> None:
    """Raise a ConfigError unless a choice of `--tts` is a supported class."""
    kind = class_of(tts, experiment)
    if kind not in SUPPORTED:
        names = ", ".join(kind.__name__ for kind in SUPPORTED)
        raise ConfigError(
            f"{experiment}: {what} does not support {kind.__name__}, only {names}"
        )


def describe(student: Experiment) -> str:
    """Compare a student of :func:`derive` with its teacher.

    Args:
        student: The student, in memory.

    Returns:
        A Markdown table of teacher and student: sizes, parameters, MMAC per second of
        speech and RTF; and the pressure reached.

    Raises:
        ConfigError: The experiment is no student of :func:`derive`.
    """
    teacher = require_origin(student)
    models = teacher.model.tts, student.model.tts
    confs = [
        with_defaults(type(tts), experiment.config["tts_conf"])
        for tts, experiment in zip(models, (teacher, student))
    ]
    costs = [cost(tts) for tts in models]
    frames = teacher.frames_per_second
    changed = [key for key in confs[0] if confs[0][key] != confs[1].get(key)]
    units = "MMAC a second of speech", "RTF, one thread"
    scales = frames, frames
    if frames is None:
        units, scales = ("MMAC a frame", "ms a frame, one thread"), (1, 1000)
    columns = {"": [*changed, "parameters", *units]}
    for title, conf, measured in zip(("teacher", "student"), confs, costs):
        columns[title] = [
            *(str(conf.get(key)) for key in changed),
            f"{measured.parameters:,}",
            f"{measured.macs * scales[0] / 1e6:,.{0 if frames else 3}f}",
            f"{measured.seconds * scales[1]:.4f}",
        ]
    pressure = 1 - costs[1].parameters / costs[0].parameters
    lines = [aligned(columns), f"Pressure {pressure:.3f}.", *student.notes]
    return "\n\n".join(lines)
