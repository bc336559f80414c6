"""Data settings of a teacher as options of tts.sh, for `espnet-distill teacher-config`.

The settings are features, token type, cleaner and g2p. Options of a recipe that
contradict them are refused.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_frontend import is_same_file, require_bpemodel
from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.recipes.shell_values import NOTHING, require_shell_value

# Options of tts.sh, and the keys of feats_extract_conf that they set.
FEATURES = {
    "fs": "fs",
    "n_fft": "n_fft",
    "n_shift": "hop_length",
    "win_length": "win_length",
    "n_mels": "n_mels",
    "fmin": "fmin",
    "fmax": "fmax",
}


PITCH = ("f0min", "f0max")


TEXT = ("token_type", "cleaner", "g2p")


BPEMODEL = "bpemodel"  # an option of distill.sh only; tts.sh has no bpe


OPTIONS = (*FEATURES, *PITCH, *TEXT, BPEMODEL)


def settings_of(conf: Mapping, config: Path) -> dict[str, str]:
    """Return the options of distill.sh that a teacher's configuration determines.

    Args:
        conf: The teacher's configuration.
        config: Its file, for messages.

    Raises:
        ConfigError: A value must not be passed to a shell.
    """
    keys = {name: ("feats_extract_conf", key) for name, key in FEATURES.items()}
    keys |= {name: ("pitch_extract_conf", name) for name in PITCH}
    if is_text_to_wave(conf):  # others are the student's own
        keys = {"n_shift": keys["n_shift"], "fs": ("tts_conf", "sampling_rate")}
    keys |= {name: (name,) for name in TEXT}
    if conf.get("token_type") == "bpe":
        keys[BPEMODEL] = (BPEMODEL,)
    options = {}
    for name, (*section, key) in keys.items():
        values = (conf.get(section[0]) or {}) if section else conf
        if key in values:
            nothing = "none" if name in TEXT else "null"
            value = nothing if values[key] is None else str(values[key])
            where = f"{config}: {'.'.join((*section, key))}"
            options[name] = require_shell_value(name, value, where)
    return options


def differences(
    options: Mapping[str, str], teacher: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (option, value, teacher's value) of options that contradict a teacher.

    Args:
        options: The options of a recipe.
        teacher: The options that the teacher's configuration determines.
    """
    common = {name: options[name] for name in options if name in teacher}
    has_features = all(name in teacher for name in FEATURES)
    if has_features:
        mels, teacher_mels = _mel_spec(teacher | common), _mel_spec(teacher)
        names = {key: name for name, key in FEATURES.items()}
        for key, value, teacher_value in mels.differences(teacher_mels):
            yield names[key], value, teacher_value
    for name in (*PITCH, *TEXT, *(() if has_features else FEATURES)):
        if name not in common:
            continue
        if name == "g2p" and teacher.get("token_type") != "phn":
            continue
        if not _are_equal(common[name], teacher[name]):
            yield name, common[name], teacher[name]
    if BPEMODEL in common and not is_same_file(common[BPEMODEL], teacher[BPEMODEL]):
        yield BPEMODEL, common[BPEMODEL], teacher[BPEMODEL]


def require_settings(options: Mapping[str, str], experiment: str) -> dict[str, str]:
    """Return a teacher's settings, if the options of a recipe agree with them.

    Args:
        options: The options that a recipe sets: name → value.
        experiment: The teacher, as :class:`~.Experiment` opens it.

    Raises:
        ConfigError: There is no such experiment, an option contradicts it, its
            sentencepiece model is missing, or a value must not be passed to a shell.
    """
    for name, value in options.items():
        require_shell_value(name, value, f"--{name}")
    teacher = Experiment(experiment)
    require_bpemodel(teacher.config, str(teacher))
    settings = settings_of(teacher.config, teacher.config_file)
    for name, value, teacher_value in differences(options, settings):
        raise ConfigError(
            f"--{name} {value}: the teacher was trained with {teacher_value} "
            f"({teacher}); leave --{name} out, or name another teacher"
        )
    return settings


def _mel_spec(options: Mapping[str, str]) -> MelSpec:
    """Return a MelSpec; no option of tts.sh sets window and logarithm."""
    values = {key: _number(options[name]) for name, key in FEATURES.items()}
    return MelSpec(window="", log_base=None, **values)


def _number(value: str) -> float | None:
    return None if value.lower() in NOTHING else float(value)


def _are_equal(value: str, other: str) -> bool:
    if value.lower() in NOTHING or other.lower() in NOTHING:
        return value.lower() in NOTHING and other.lower() in NOTHING
    try:
        return float(value) == float(other)
    except ValueError:
        return value == other
