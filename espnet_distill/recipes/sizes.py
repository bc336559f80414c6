"""Sizes and steps of a new recipe's teacher and student, by hours of speech."""

import math
import re
from dataclasses import dataclass

# For an hour of speech, as in egs/kathleen
TEACHER_STEPS, STUDENT_STEPS, ALIGN_STEPS = 3000, 1000, 600
FEWEST, MOST = 0.2, 10.0  # times these
FEWEST_ALIGN_STEPS = 300
EPOCHS = {"teacher": 20, "student": 4}
# Hours from which on → width of the teacher, preset of the student
WIDTHS = {
    20.0: (384, "fastspeech2_base"),
    4.0: (256, "fastspeech2_base"),
    0.0: (192, "fastspeech2_small"),
}
NATURAL_LOG = "# natural-log mels, the input of HiFi-GAN\n"
NATURAL_LOG += "feats_extract_conf:\n    log_base: null\n"


@dataclass(frozen=True)
class Sizes:
    """Sizes and steps of a recipe's models.

    Attributes:
        adim: The teacher's width, a quarter of the units of its feed-forward layers.
        student: The student's preset.
        teacher_steps, student_steps: Updates of their trainings, multiples of the
            number of epochs.
        align_steps: Updates of the aligner.
    """

    adim: int
    student: str
    teacher_steps: int
    student_steps: int
    align_steps: int


def choose_sizes(hours: float, steps: int | None = None) -> Sizes:
    """Return the sizes and steps for hours of speech.

    Steps grow as the square root of the hours.

    Args:
        hours: Length of the recordings.
        steps: Updates of the teacher, instead; the student has a third.
    """
    by_hours = min(MOST, max(FEWEST, math.sqrt(hours)))
    scale = steps / TEACHER_STEPS if steps else by_hours
    adim, student = next(size for least, size in WIDTHS.items() if hours >= least)
    return Sizes(
        adim,
        student,
        _whole_epochs(scale * TEACHER_STEPS, EPOCHS["teacher"]),
        _whole_epochs(scale * STUDENT_STEPS, EPOCHS["student"]),
        max(FEWEST_ALIGN_STEPS, round(by_hours * ALIGN_STEPS)),
    )


def _whole_epochs(steps: float, epochs: int) -> int:
    return max(1, round(steps / epochs)) * epochs


def teacher_config(template: str, sizes: Sizes) -> str:
    """Return a teacher's training configuration from the template's text."""
    steps, adim = sizes.teacher_steps, sizes.adim
    values = {"adim": adim, "eunits": 4 * adim, "dunits": 4 * adim}
    for kind in ("duration", "pitch", "energy"):
        values[f"{kind}_predictor_chans"] = adim
    values["warmup_steps_list"] = [0, max(1, steps // 20), max(2, steps // 2), steps]
    return _replaced(template, values | _epochs(steps, "teacher"))


def student_config(template: str, sizes: Sizes) -> str:
    """Return a student's training configuration from the template's text."""
    steps = sizes.student_steps
    values = {"total_steps": steps, "keep_nbest_models": 1}
    text = _replaced(template, values | _epochs(steps, "student"))
    head, _, rest = text.partition("\n")
    return f"{head}\n{NATURAL_LOG}{rest}"


def _epochs(steps: int, kind: str) -> dict[str, int]:
    epochs = EPOCHS[kind]
    return {"num_iters_per_epoch": steps // epochs, "max_epoch": epochs}


def _replaced(template: str, values: dict) -> str:
    """Return a text of YAML with the values of keys replaced, and comments kept."""
    for key, value in values.items():
        template, count = re.subn(
            rf"^( *{key}:) [^#\n]*?( *#.*)?$", rf"\1 {value}\2", template, flags=re.M
        )
        assert count == 1, key
    return template
