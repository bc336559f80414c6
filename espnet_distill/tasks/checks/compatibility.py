"""What a teacher and its student have to agree on, told from their configurations."""

import io

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.utils.config_values import as_number, as_whole
from espnet_distill.utils.files import read_text


def require_compatible(student: dict, teacher: dict, whose: str) -> None:
    """Raise a ConfigError that names both values of each thing that differs.

    Args:
        student: The arguments of the training to come; `token_list` is a list or the
            path of one, or None where it is not made yet.
        teacher: The configuration of a trained experiment.
        whose: How to call the teacher in the message.
    """
    with ErrorCollector() as faults:
        for require in (
            require_same_tokens,
            _require_same_features,
            _require_same_pace,
        ):
            faults.check(require, student, teacher, whose)
        for kind in ("pitch", "energy"):
            faults.check(_require_same_extraction, kind, student, teacher, whose)


# What a teacher is told besides the text: the key that says so, the data's name.
CONDITIONS = {"spks": "sids", "langs": "lids", "spk_embed_dim": "spembs"}


def require_conditions(names: list[str], teacher: dict, whose: str) -> None:
    """Raise a ConfigError if the data lack speakers or languages that a teacher wants.

    Args:
        names: The names of the data of a training. None at all, as in a dry run,
            lack nothing.
        teacher: The configuration of a trained experiment.
        whose: How to call the teacher in the message.
    """
    if not names:
        return
    for key, name in CONDITIONS.items():
        value = (teacher.get("tts_conf") or {}).get(key)
        if value is None or as_number(value, f"{whose}: tts_conf.{key}") <= 0:
            continue
        if name not in names:
            raise ConfigError(
                f"tts_conf.{key}: {whose} has {value}, so it wants {name} among the "
                f"data, which are {', '.join(names)}"
            )


def _require_equal(key: str, ours, theirs, whose: str) -> None:
    if ours != theirs:
        raise ConfigError(
            f"{key}: the student has {ours}, {whose} has {theirs}; make them equal"
        )


def _require_same_pace(student: dict, teacher: dict, whose: str) -> None:
    key = "tts_conf.reduction_factor"
    ours, theirs = (
        as_whole((conf.get("tts_conf") or {}).get("reduction_factor", 1), where, 1)
        for conf, where in ((student, key), (teacher, f"{whose}: {key}"))
    )
    several = student["tts"] in ("tacotron2", "transformer") and ours % theirs == 0
    if not several:  # of its teacher's steps that such a student takes at once
        _require_equal(key, ours, theirs, whose)


def require_same_tokens(student: dict, teacher: dict, whose: str) -> None:
    """Raise a ConfigError that names both if the two lists of tokens differ."""
    if teacher.get("token_list") is None:
        raise ConfigError(f"token_list: {whose} has none; is it an ESPnet experiment?")
    ours, theirs = tokens_of(student["token_list"]), tokens_of(teacher["token_list"])
    if ours is None or ours == theirs:
        return
    _require_equal("token_list: number of tokens", len(ours), len(theirs), whose)
    for index, pair in enumerate(zip(ours, theirs)):
        _require_equal(f"token_list: token {index}", *map(repr, pair), whose)


def tokens_of(token_list) -> list[str] | None:
    """Return the tokens that a configuration lists, or whose file it names."""
    if not isinstance(token_list, str):
        return token_list
    with ErrorCollector() as faults:
        text = faults.check(read_text, token_list, where="token_list: ")
    return [line[0] + line[1:].rstrip() for line in io.StringIO(text)]


def _require_same_features(student: dict, teacher: dict, whose: str) -> None:
    _require_equal("odim", student.get("odim"), teacher.get("odim"), whose)
    if student.get("odim") is not None:
        return  # the features come with the data, and ESPnet builds no extractor
    key = "feats_extract"
    _require_equal(key, student.get(key), teacher.get(key), whose)
    if student.get(key) == "fbank":
        key = "feats_extract_conf"
        with ErrorCollector() as faults:
            ours = faults.check(MelSpec.of_conf, student.get(key) or {})
            theirs = faults.check(
                MelSpec.of_conf, teacher.get(key) or {}, where=f"{whose}: "
            )
        with ErrorCollector() as faults:
            for name, *values in ours.differences(theirs):
                faults.check(_require_equal, f"{key}.{name}", *values, whose)


def _require_same_extraction(
    kind: str, student: dict, teacher: dict, whose: str
) -> None:
    """Pitch and energy are extracted once and shared, if both models want them."""
    if not (student.get(f"{kind}_extract") and teacher.get(f"{kind}_extract")):
        return
    ours = student.get(f"{kind}_extract_conf") or {}
    theirs = teacher.get(f"{kind}_extract_conf") or {}
    with ErrorCollector() as faults:
        for key in sorted(ours.keys() & theirs.keys()):
            pair = ours[key], theirs[key]
            faults.check(_require_equal, f"{kind}_extract_conf.{key}", *pair, whose)
