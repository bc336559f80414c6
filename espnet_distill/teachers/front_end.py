"""What a model reads text with, besides its list of tokens."""

import filecmp
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from espnet_distill.errors import ConfigError, in_one_line


def require_bpemodel(conf: Mapping, whose: str) -> None:
    """Raise a ConfigError if a model reads sentencepieces and their model is missing.

    Args:
        conf: An experiment's configuration, or the arguments of a training.
        whose: How to call it in the message.
    """
    if conf.get("token_type") != "bpe":
        return
    path = conf.get("bpemodel")
    if not path:
        raise ConfigError(
            f"{whose}: bpemodel: none, but token_type is bpe; name a sentencepiece "
            "model"
        )
    if not Path(path).is_file():
        raise ConfigError(
            f"{whose}: bpemodel: {path}: no such file; put the sentencepiece model "
            "there, or name its place"
        )


@contextmanager
def front_end_of(whose) -> Iterator[None]:
    """Build a model's text front end in here.

    Raises:
        ConfigError: Something that it needs is not installed.
    """
    try:
        yield
    except (ImportError, RuntimeError) as error:
        raise ConfigError(
            f"{whose}: g2p: {in_one_line(error)}; install what it needs "
            "(an espeak-ng: pip install espeakng-loader)"
        ) from error


def is_same_file(ours: str, theirs: str) -> bool:
    """Tell whether two paths name files of the same content, or are the same path."""
    if Path(ours) == Path(theirs):
        return True
    both = Path(ours).is_file() and Path(theirs).is_file()
    return both and filecmp.cmp(ours, theirs, shallow=False)
