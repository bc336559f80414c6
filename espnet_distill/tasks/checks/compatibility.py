"""Compare the configurations of a teacher and its student."""

import inspect
import io
from collections.abc import Iterable

from espnet_distill.data.front_end import FrontEnd
from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.experiments.config import AUTOREGRESSIVE
from espnet_distill.experiments.ids import takes
from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.utils.config_values import as_number, as_whole
from espnet_distill.utils.files import read_text


def require_compatible(student: dict, teacher: dict, whose: str) -> None:
    """Raise a ConfigError that names both values of each setting that must be equal.

    A teacher that synthesizes waveforms has features and frames of its own, of which its
    text encoder depends on none.

    Args:
        student: The arguments of the training; `token_list` is a list, the path of one,
            or None if it does not exist yet.
        teacher: The configuration of a trained experiment.
        whose: Name of the teacher in messages.
    """
    with ErrorCollector() as faults:
        faults.check(require_same_tokens, student, teacher, whose)
        if is_text_to_wave(teacher):
            return
        for require in (_require_same_features, _require_same_reduction_factor):
            faults.check(require, student, teacher, whose)
        for kind in ("pitch", "energy"):
            faults.check(_require_same_extraction, kind, student, teacher, whose)


FRONT_END = ("g2p", "cleaner")


def require_same_front_end(
    student: dict, teacher: dict, keys: Iterable[str], whose: str
) -> None:
    """Raise a ConfigError if a student's text becomes other tokens than its teacher's.

    Args:
        student: The arguments of the training.
        teacher: The configuration of a trained experiment.
        keys: Those of FRONT_END that the training sets.
        whose: Name of the teacher in messages.
    """
    of_student, of_teacher = FrontEnd.of(student), FrontEnd.of(teacher)
    with ErrorCollector() as faults:
        for key in keys:
            values = getattr(of_student, key), getattr(of_teacher, key)
            faults.check(_require_equal, key, *values, whose)


# Inputs besides the text: the key of tts_conf, and the name of the data.
CONDITIONS = {"spks": "sids", "langs": "lids", "spk_embed_dim": "spembs"}


def require_conditions(names: list[str], teacher: dict, whose: str) -> None:
    """Raise a ConfigError if the data lack speakers or languages that a teacher needs.

    Args:
        names: The names of the data of a training; an empty list, as in a dry run,
            passes.
        teacher: The configuration of a trained experiment.
        whose: Name of the teacher in messages.
    """
    if not names:
        return
    for key, name in CONDITIONS.items():
        value = (teacher.get("tts_conf") or {}).get(key)
        if value is None:
            continue
        size = as_number(value, f"{whose}: tts_conf.{key}")
        if takes(key, size) and name not in names:
            raise ConfigError(
                f"tts_conf.{key}: {whose} has {value}, which requires {name} among the "
                f"data, which are {', '.join(names)}"
            )


def _require_equal(key: str, student_value, teacher_value, whose: str) -> None:
    if student_value != teacher_value:
        raise ConfigError(
            f"{key}: the student has {student_value}, {whose} has {teacher_value}; "
            "make them equal"
        )


def _require_same_reduction_factor(student: dict, teacher: dict, whose: str) -> None:
    key = "tts_conf.reduction_factor"
    student_factor, teacher_factor = (
        as_whole((conf.get("tts_conf") or {}).get("reduction_factor", 1), where, 1)
        for conf, where in ((student, key), (teacher, f"{whose}: {key}"))
    )
    is_autoregressive = student["tts"] in AUTOREGRESSIVE
    if not (is_autoregressive and student_factor % teacher_factor == 0):
        _require_equal(key, student_factor, teacher_factor, whose)


def require_same_tokens(student: dict, teacher: dict, whose: str) -> None:
    """Raise a ConfigError that names the first difference of two lists of tokens."""
    if teacher.get("token_list") is None:
        raise ConfigError(f"token_list: {whose} has none; is it an ESPnet experiment?")
    tokens = tokens_of(student["token_list"])
    teacher_tokens = tokens_of(teacher["token_list"])
    if tokens is None or tokens == teacher_tokens:
        return
    sizes = len(tokens), len(teacher_tokens)
    _require_equal("token_list: number of tokens", *sizes, whose)
    for index, values in enumerate(zip(tokens, teacher_tokens)):
        _require_equal(f"token_list: token {index}", *map(repr, values), whose)


def tokens_of(token_list) -> list[str] | None:
    """Return the tokens of a configuration, which lists them or names their file."""
    if not isinstance(token_list, str):
        return token_list
    with ErrorCollector() as faults:
        text = faults.check(read_text, token_list, where="token_list: ")
    return [line[0] + line[1:].rstrip() for line in io.StringIO(text)]


def _require_same_features(student: dict, teacher: dict, whose: str) -> None:
    _require_equal("odim", student.get("odim"), teacher.get("odim"), whose)
    if student.get("odim") is not None:
        return  # features are read from the data, not extracted
    key = "feats_extract"
    _require_equal(key, student.get(key), teacher.get(key), whose)
    if student.get(key) == "fbank":
        key = "feats_extract_conf"
        with ErrorCollector() as faults:
            student_mels = faults.check(MelSpec.of_conf, student.get(key) or {})
            teacher_mels = faults.check(
                MelSpec.of_conf, teacher.get(key) or {}, where=f"{whose}: "
            )
        with ErrorCollector() as faults:
            for name, *values in student_mels.differences(teacher_mels):
                faults.check(_require_equal, f"{key}.{name}", *values, whose)


def _require_same_extraction(
    kind: str, student: dict, teacher: dict, whose: str
) -> None:
    """Compare the extraction of pitch or energy, which both models share.

    Options of the values, such as ``use_log_f0``, have ESPnet's defaults where they are
    not set. The others, which tts.sh adds, are compared if both are set.
    """
    key = f"{kind}_extract"
    if not (student.get(key) and teacher.get(key)):
        return
    student_conf, teacher_conf = (
        _options_of(conf[key]) | (conf.get(f"{key}_conf") or {})
        for conf in (student, teacher)
    )
    with ErrorCollector() as faults:
        for key in sorted(student_conf.keys() & teacher_conf.keys()):
            values = student_conf[key], teacher_conf[key]
            faults.check(_require_equal, f"{kind}_extract_conf.{key}", *values, whose)


def _options_of(extractor: str) -> dict[str, bool]:
    """Return the options of the values of ESPnet's extractor, with their defaults."""
    from espnet2.tts.feats_extract.dio import Dio
    from espnet2.tts.feats_extract.energy import Energy

    kind = {"dio": Dio, "energy": Energy}.get(extractor, object)
    parameters = inspect.signature(kind).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if name.startswith("use_")
    }
