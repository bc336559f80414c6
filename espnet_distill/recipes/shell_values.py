"""Values that leave Python for a shell, and the one place that lets them.

Kaldi's ``parse_options.sh``, which tts.sh has its options through, evaluates their
values, and ``run.pl`` hands words on unquoted. So what comes from a model, an archive
or a folder is one of ESPnet's own choices, a finite number or a plain path, or it is
refused.
``check_options.sh`` refuses the same characters in what a person types.
"""

import contextlib
import functools
import io
import math
import re
from collections.abc import Mapping

from espnet_distill.errors import ConfigError, suggest

CHOICES = ("token_type", "cleaner", "g2p")


NUMBERS = ("fs", "n_fft", "n_shift", "win_length", "n_mels", "fmin", "fmax")


NUMBERS += ("f0min", "f0max")


NOTHING = ("none", "null", "")


SPECIAL = "'\"$`\\;&|<>()#*?[]{}!"  # what a shell reads in a word


NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


def require_shell_value(option: str, value: str, where: str) -> str:
    """Return an option's value if a shell takes it for nothing else.

    Args:
        option: Of distill.sh.
        value: Its text.
        where: What goes before the fault: a file and a key, or an option.

    Raises:
        ConfigError: None of ESPnet's choices, no finite number, or no plain path.
    """
    if option in CHOICES:
        _require_choice(option, value, where)
    elif option in NUMBERS:
        _require_number(value, where)
    else:
        require_plain(value, where)
    return value


def require_plain(text: str, where: str) -> str:
    """Return a text of which a shell reads nothing; spaces may be in it.

    Raises:
        ConfigError: It has quotes, control characters or the like.
    """
    found = next((c for c in text if c in SPECIAL or not c.isprintable()), None)
    if found is not None:
        raise ConfigError(
            f"{where}: {text!r} has {found!r}, which a shell reads; rename it"
        )
    return text


def require_word(text: str, where: str) -> str:
    """Return a plain text without spaces, or raise a ConfigError."""
    if " " in text or text.startswith("-"):
        raise ConfigError(f"{where}: {text!r} is no single word; rename it")
    return require_plain(text, where)


def require_text_settings(conf: Mapping, where: str) -> None:
    """Raise a ConfigError unless a model's front end is one of ESPnet's own.

    Args:
        conf: The configuration of a trained experiment.
        where: Its file.
    """
    for name in CHOICES:
        if conf.get(name) is not None:
            _require_choice(name, conf[name], f"{where}: {name}")
    if conf.get("bpemodel") is not None:
        require_plain(str(conf["bpemodel"]), f"{where}: bpemodel")


def _require_choice(option: str, value, where: str) -> None:
    known = espnet_choices()[option]
    is_nothing = isinstance(value, str) and value.lower() in NOTHING
    if value not in known and not (is_nothing and None in known):
        remedy = suggest(value, (name for name in known if name is not None))
        raise ConfigError(f"{where}: {value!r} is none of ESPnet's; {remedy}")


def _require_number(value: str, where: str) -> None:
    if value.lower() in NOTHING:
        return
    if not NUMBER.fullmatch(value) or not math.isfinite(float(value)):
        raise ConfigError(f"{where}: {value[:100]!r} is no finite number")


@functools.cache
def espnet_choices() -> dict[str, list]:
    """Return what ESPnet's ``tokenize_text`` takes as token type, cleaner and g2p."""
    with contextlib.redirect_stderr(io.StringIO()):  # NLTK's chatter
        from espnet2.bin.tokenize_text import get_parser

    actions = {action.dest: action for action in get_parser()._actions}
    return {name: list(actions[name].choices) for name in CHOICES}
