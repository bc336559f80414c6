"""SHA-256 checksums of inputs, which decide whether a result can be reused."""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_of_listed(path: Path) -> str:
    """Return a checksum of a table `<utterance> <file>` and of the files it names.

    For `<file>:<offset>`, an entry of a Kaldi archive, the whole file is included. A
    value that names no file is included as text.
    """
    from espnet_distill.utils.files import read_table

    cached_checksum = cache(checksum)
    return checksum_of(
        f"{utterance} {_content(value, cached_checksum)}"
        for utterance, value in read_table(path).items()
    )


def checksum_of_words(words: str) -> str:
    """Return a checksum of a line of options, and of the files that its words name."""
    return checksum_of(_content(word, checksum) for word in words.split())


def checksum_of(values: Iterable[str]) -> str:
    """Return a checksum of a sequence of strings."""
    total = hashlib.sha256()
    for value in values:
        total.update(hashlib.sha256(value.encode()).digest())
    return total.hexdigest()


def _content(value: str, checksum_of_file: Callable) -> str:
    """Return a value with the file name at its beginning replaced by a checksum."""
    for name in (value, value.rpartition(":")[0], value.partition(":")[0]):
        if name and Path(name).is_file():
            return f"{value.removeprefix(name)} {checksum_of_file(name)}"
    return value
