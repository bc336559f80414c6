"""Validate values that are passed from Python to a shell.

Kaldi's ``parse_options.sh``, through which tts.sh gets its options, evaluates values,
and ``run.pl`` passes words on unquoted. So a value from a model, an archive or a folder
must be one of ESPnet's choices, a finite number or a plain path. ``check_options.sh``
refuses the same characters in options that a user types.
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


SPECIAL = "'\"$`\\;&|<>()#*?[]{}!"  # characters that a shell interprets


NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


def require_shell_value(option: str, value: str, where: str) -> str:
    """Return an option's value if a shell does not interpret it.

    Args:
        option: An option of distill.sh.
        value: Its value.
        where: A prefix of the message: a file and a key, or an option.

    Raises:
        ConfigError: The value is none of ESPnet's choices, no finite number or no plain
            path, depending on the option.
    """
    if option in CHOICES:
        _require_choice(option, value, where)
    elif option in NUMBERS:
        _require_number(value, where)
    else:
        require_plain(value, where)
    return value


def require_plain(text: str, where: str) -> str:
    """Return a text without special characters of a shell; spaces are allowed.

    Raises:
        ConfigError: It has quotes, control characters or other special characters.
    """
    special = next((c for c in text if c in SPECIAL or not c.isprintable()), None)
    if special is not None:
        raise ConfigError(
            f"{where}: {text!r} has {special!r}, which a shell reads; rename it"
        )
    return text


def require_word(text: str, where: str) -> str:
    """Return a plain text that is one word and no option; else raise a ConfigError."""
    if " " in text or text.startswith("-"):
        raise ConfigError(f"{where}: {text!r} is no single word; rename it")
    return require_plain(text, where)


def require_text_settings(conf: Mapping, where: str) -> None:
    """Raise a ConfigError unless a model's front end is among ESPnet's choices.

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
    """Return the choices of ESPnet's ``tokenize_text`` for token type, cleaner, g2p."""
    with contextlib.redirect_stderr(io.StringIO()):  # messages of NLTK
        from espnet2.bin.tokenize_text import get_parser

    actions = {action.dest: action for action in get_parser()._actions}
    return {name: list(actions[name].choices) for name in CHOICES}
