"""Checksums of what a result is made from: by them it is found again, or is stale."""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksum_of_listed(path: Path) -> str:
    """Return a checksum of a table `<utterance> <file>` and of the files it names.

    Of `<file>:<offset>`, as entries of Kaldi's archives are named, it takes the whole
    file; what names no file counts as it stands.
    """
    from espnet_distill.utils.files import read_table

    once = cache(checksum)
    return checksum_of(
        f"{utterance} {_content(value, once)}"
        for utterance, value in read_table(path).items()
    )


def checksum_of_words(words: str) -> str:
    """Return a checksum of options, and of the files that some of their words name."""
    return checksum_of(_content(word, checksum) for word in words.split())


def checksum_of(values: Iterable[str]) -> str:
    """Return a checksum of several texts, in their order."""
    total = hashlib.sha256()
    for value in values:
        total.update(hashlib.sha256(value.encode()).digest())
    return total.hexdigest()


def _content(value: str, of_file) -> str:
    for name in (value, value.rpartition(":")[0], value.partition(":")[0]):
        if name and Path(name).is_file():
            return f"{value.removeprefix(name)} {of_file(name)}"
    return value
