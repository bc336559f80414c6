"""Text front ends: token lists, sentencepiece models, ESPnet's preprocessor."""

import filecmp
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector, summarize

UNKNOWN = "<unk>"
KEYS = (  # that ESPnet reads
    *("use_preprocessor", "token_type", "token_list", "bpemodel"),
    *("non_linguistic_symbols", "cleaner", "g2p"),
)
OPENJTALK = "pyopenjtalk"
REMEDIES = {  # module, with which the names of its g2ps or cleaners begin
    OPENJTALK: "pip install 'espnet_distill[ja]' (pyopenjtalk-plus)",
    "whisper": "pip install openai-whisper",
}


def require_bpemodel(conf: Mapping, whose: str) -> None:
    """Raise a ConfigError if a configuration's sentencepiece model is missing.

    Args:
        conf: An experiment's configuration, or the arguments of a training.
        whose: A prefix of the message.
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


def require_tokens(token_list: Collection[str], whose: str) -> None:
    """Raise a ConfigError if ESPnet cannot build a text front end from a token list.

    The list must contain ``<unk>`` and have no duplicates.
    """
    with ErrorCollector() as faults:
        if UNKNOWN not in token_list:
            faults.lines.append(
                f"{whose}: token_list: has no {UNKNOWN}, without which ESPnet builds "
                "no text front end; train with a list that has it, as stage 5 of tts.sh "
                "makes them"
            )
        repeated = [token for token, n in Counter(token_list).items() if n > 1]
        if repeated:
            faults.lines.append(
                f"{whose}: token_list: has {', '.join(map(repr, repeated[:3]))} more "
                "than once; train with a list that has each token once"
            )


def build_front_end(args: Namespace, whose: str) -> Callable | None:
    """Build the text front end of a trained model.

    Args:
        args: The model's configuration as a namespace, with the tokens as a list.
        whose: A prefix of messages.

    Returns:
        ESPnet's preprocessor; None where the configuration uses none.

    Raises:
        ConfigError: A key of the configuration is missing, `require_tokens` refuses the
            tokens, or a package that the front end needs is not installed.
    """
    from espnet2.tasks.tts import TTSTask

    for key in KEYS:
        if not hasattr(args, key):
            raise ConfigError(f"{whose}: {key}: missing; copy config.yaml again")
    if args.use_preprocessor and args.token_type:
        require_tokens(args.token_list, whose)
    with front_end_of(whose):
        return TTSTask.build_preprocess_fn(args, train=False)


def require_package(name: str | None) -> None:
    """Raise a ConfigError if the package of a g2p or cleaner is not installed."""
    for module, remedy in REMEDIES.items():
        if str(name).startswith(module) and find_spec(module) is None:
            raise ConfigError(f"{name}: {module} is not installed; {remedy}")


@contextmanager
def front_end_of(whose: str) -> Iterator[None]:
    """Convert a text front end's error about a missing package to a ConfigError.

    Args:
        whose: A prefix of the message.

    Raises:
        ConfigError: A package that the front end needs is not installed.
    """
    try:
        yield
    except (ImportError, RuntimeError) as error:
        if OPENJTALK in str(error):
            raise ConfigError(
                f"{whose}: g2p: {OPENJTALK} is not installed; {REMEDIES[OPENJTALK]}"
            ) from error
        raise ConfigError(
            f"{whose}: g2p: {summarize(error)}; install what it needs "
            "(an espeak-ng: pip install espeakng-loader)"
        ) from error


def is_same_file(path: str, other: str) -> bool:
    """Return True if two paths are equal or name files of the same content."""
    if Path(path) == Path(other):
        return True
    are_files = Path(path).is_file() and Path(other).is_file()
    return are_files and filecmp.cmp(path, other, shallow=False)
