"""`espnet-distill teacher-config`: what a teacher's data were made with, for a shell script.

Prints assignments such as `fs=22050` under the names of tts.sh's options, and refuses
what a recipe has set otherwise.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import find_experiment, read_config
from espnet_distill.experiments.text_frontend import is_same_file, require_bpemodel
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


BPEMODEL = "bpemodel"  # an option of distill.sh's, as tts.sh knows no bpe


OPTIONS = (*FEATURES, *PITCH, *TEXT, BPEMODEL)


def settings_of(conf: Mapping, config: Path) -> dict[str, str]:
    """Return the options of distill.sh that a configuration tells.

    Args:
        conf: The configuration of a trained experiment.
        config: Its file.

    Raises:
        ConfigError: A value that a shell must not get.
    """
    keys = {name: ("feats_extract_conf", key) for name, key in FEATURES.items()}
    keys |= {name: ("pitch_extract_conf", name) for name in PITCH}
    keys |= {name: (name,) for name in TEXT}
    if conf.get("token_type") == "bpe":
        keys[BPEMODEL] = (BPEMODEL,)
    found = {}
    for name, (*section, key) in keys.items():
        values = (conf.get(section[0]) or {}) if section else conf
        if key in values:
            nothing = "none" if name in TEXT else "null"
            value = nothing if values[key] is None else str(values[key])
            where = f"{config}: {'.'.join((*section, key))}"
            found[name] = require_shell_value(name, value, where)
    return found


def differences(
    ours: Mapping[str, str], theirs: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield (option, our value, theirs) of all that both tell, and tell otherwise."""
    told = {name: ours[name] for name in ours if name in theirs}
    is_whole = all(name in theirs for name in FEATURES)
    if is_whole:
        us, them = _mels(theirs | told), _mels(theirs)
        options = {key: name for name, key in FEATURES.items()}
        for key, our_value, their_value in us.differences(them):
            yield options[key], our_value, their_value
    for name in (*PITCH, *TEXT, *(() if is_whole else FEATURES)):
        if name not in told or (name == "g2p" and theirs.get("token_type") != "phn"):
            continue
        if not _same(told[name], theirs[name]):
            yield name, told[name], theirs[name]
    if BPEMODEL in told and not is_same_file(told[BPEMODEL], theirs[BPEMODEL]):
        yield BPEMODEL, told[BPEMODEL], theirs[BPEMODEL]


def require_settings(ours: Mapping[str, str], experiment: str) -> dict[str, str]:
    """Return the settings of a trained experiment.

    Args:
        ours: The options of tts.sh that a recipe has set.
        experiment: What `find_experiment` takes.

    Raises:
        ConfigError: No such experiment, one that was made otherwise, one whose
            sentencepiece model is missing, or a value that a shell must not get.
    """
    for name, value in ours.items():
        require_shell_value(name, value, f"--{name}")
    config, _ = find_experiment(experiment)
    conf = read_config(config)
    require_bpemodel(conf, str(config))
    theirs = settings_of(conf, config)
    for name, our_value, their_value in differences(ours, theirs):
        raise ConfigError(
            f"--{name} {our_value}: the teacher was trained with {their_value} "
            f"({config}); leave --{name} out, or name another teacher"
        )
    return theirs


def _mels(options: Mapping[str, str]) -> MelSpec:
    """Describe mels, of which no option tells the window and the logarithm."""
    values = {key: _number(options[name]) for name, key in FEATURES.items()}
    return MelSpec(window="", log_base=None, **values)


def _number(value: str) -> float | None:
    return None if value.lower() in NOTHING else float(value)


def _same(ours: str, theirs: str) -> bool:
    if ours.lower() in NOTHING or theirs.lower() in NOTHING:
        return ours.lower() in NOTHING and theirs.lower() in NOTHING
    try:
        return float(ours) == float(theirs)
    except ValueError:
        return ours == theirs
