"""`espnet-distill settings`: what a teacher's data were made with, for a shell script.

Prints assignments such as `fs=22050` under the names of tts.sh's options, and refuses
what a recipe has set otherwise.
"""

import shlex
from collections.abc import Iterator, Mapping

from espnet_distill.errors import ConfigError
from espnet_distill.mel_spec import MelSpec
from espnet_distill.teachers.checkpoint import find_experiment, read_config
from espnet_distill.teachers.front_end import is_same_file, require_bpemodel

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
NOTHING = ("none", "null", "")


def settings_of(conf: Mapping) -> dict[str, str]:
    """Return the options of distill.sh that a configuration tells.

    Args:
        conf: The configuration of a trained experiment.
    """
    features = conf.get("feats_extract_conf") or {}
    pitch = conf.get("pitch_extract_conf") or {}
    found = {name: features[key] for name, key in FEATURES.items() if key in features}
    found |= {name: pitch[name] for name in PITCH if name in pitch}
    found |= {name: conf[name] for name in TEXT if name in conf}
    if conf.get("token_type") == "bpe":
        found[BPEMODEL] = conf.get(BPEMODEL)
    nothing = dict.fromkeys(TEXT, "none")
    return {
        name: nothing.get(name, "null") if value is None else str(value)
        for name, value in found.items()
    }


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
        ConfigError: No such experiment, one that was made otherwise, or one whose
            sentencepiece model is missing.
    """
    config, _ = find_experiment(experiment)
    conf = read_config(config)
    require_bpemodel(conf, str(config))
    theirs = settings_of(conf)
    for name, our_value, their_value in differences(ours, theirs):
        raise ConfigError(
            f"--{name} {our_value}: the teacher was trained with {their_value} "
            f"({config}); leave --{name} out, or name another teacher"
        )
    return theirs


def _mels(options: Mapping[str, str]) -> MelSpec:
    """Describe mels, of which no option tells the window and the logarithm."""
    values = {key: _number(options[name], name) for name, key in FEATURES.items()}
    return MelSpec(window="", log_base=None, **values)


def _number(value: str, name: str) -> float | None:
    if value.lower() in NOTHING:
        return None
    try:
        return float(value)
    except ValueError:
        raise ConfigError(f"--{name} {value}: is no number") from None


def _same(ours: str, theirs: str) -> bool:
    if ours.lower() in NOTHING or theirs.lower() in NOTHING:
        return ours.lower() in NOTHING and theirs.lower() in NOTHING
    try:
        return float(ours) == float(theirs)
    except ValueError:
        return ours == theirs


def add_arguments(parser) -> None:
    parser.add_argument("teacher", help="an ESPnet experiment folder, or a .pth in one")
    for name in OPTIONS:
        parser.add_argument(
            f"--{name}", default="", metavar="VALUE", help="as it has to be"
        )


def main(args) -> None:
    """Print an assignment a line: what was given, else what the teacher has."""
    ours = {name: getattr(args, name) for name in OPTIONS if getattr(args, name)}
    theirs = require_settings(ours, args.teacher)
    for name, value in (theirs | ours).items():
        print(f"{name}={shlex.quote(value)}")
