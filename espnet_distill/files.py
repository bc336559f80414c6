"""Where files go, and how they are either whole or not there."""

import contextlib
import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from espnet_distill.errors import ConfigError


def cache_folder() -> Path:
    """Return `${XDG_CACHE_HOME:-~/.cache}/espnet_distill`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache.resolve() / "espnet_distill"


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path beside `path`, which takes its name if the block ends well.

    The folder is made if need be; the suffix is kept, for writers that go by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what a process that was killed had begun to write whole in a folder."""
    for part in folder.glob(".*.part*"):
        part.unlink()


@contextlib.contextmanager
def folder_written_whole(folder: Path) -> Iterator[Path]:
    """Give a folder beside `folder`, which takes its name if the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield beside
        beside.chmod(0o755)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_csv(path: Path, header: Iterable[str], lines: Iterable[Iterable]) -> None:
    """Write a CSV file, whole or not at all; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    write_text(path, text.getvalue())


def read_table(path: Path) -> dict[str, str]:
    """Return a file of `<utterance> <value>` lines, as Kaldi and ESPnet have them."""
    from espnet2.fileio.read_text import read_2columns_text

    try:
        return read_2columns_text(path)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
