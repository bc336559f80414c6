"""Where files go, and how they are either whole or not there."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from espnet_distill.errors import ConfigError, in_one_line


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
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    with _folders_above(path):
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
def folder_written_whole(folder: Path, instead: bool = False) -> Iterator[Path]:
    """Give a folder beside `folder`, which takes its name if the block ends well.

    Args:
        folder: What is to be made.
        instead: Whether one of that name is then removed.
    """
    with _folders_above(folder):
        beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            yield beside
            beside.chmod(0o755)
            if instead and folder.exists():
                shutil.rmtree(folder)
            beside.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def _folders_above(path: Path) -> Iterator[None]:
    """Make the folders above a path; those that stay empty are removed again."""
    require_makeable(path)
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for folder in made:
                folder.rmdir()


def require_makeable(path: Path) -> None:
    """Raise a ConfigError if nothing can be written at a path; nothing is."""
    path = Path(path)
    near = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not near.is_dir() and near != path:
        raise ConfigError(f"{path}: {near} is no folder; name another place")
    if not os.access(near, os.W_OK):
        raise ConfigError(f"{path}: {near} cannot be written to; name another place")


def require_folder(path: Path) -> None:
    """Raise a ConfigError if a path cannot be a folder to write to; nothing is made."""
    require_makeable(path)
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path}: is no folder; name another place")


def require_new(folder: Path) -> None:
    """Raise a ConfigError if a folder that is to be made is there, or cannot be."""
    if os.path.lexists(folder):
        raise ConfigError(f"{folder} exists: name a folder to be made")
    require_makeable(folder)


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


def write_wav(path: Path, wave, rate: int) -> None:
    """Write samples, 16 bits each; an OSError, as of a full disk, says what it is."""
    import soundfile

    written = io.BytesIO()
    soundfile.write(written, wave, rate, "PCM_16", format="WAV")
    Path(path).write_bytes(written.getbuffer())


def require_no_pipe(path: Path) -> None:
    """Raise a ConfigError for a named pipe, on which a reader would wait for good.

    A shell's `<(command)` is below /dev and has a writer.
    """
    if Path(path).is_fifo() and not Path(path).is_relative_to("/dev"):
        raise ConfigError(f"{path}: cannot be read: it is a pipe; name a file")


def read_text(path: Path) -> str:
    """Return the text of a file, or raise a ConfigError that says why not."""
    require_no_pipe(path)
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}: cannot be read: line {line} is not UTF-8; save it as UTF-8"
        ) from error


def read_yaml(path: Path):
    """Return what a YAML file says, or raise a ConfigError that names the line."""
    import yaml

    from espnet_distill.utils.limited_yaml import load_limited

    text = read_text(path)
    try:
        return load_limited(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(
            f"{path}: cannot be read: line {mark.line + 1}: {error.problem}"
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # a control character, an odd date
        raise ConfigError(f"{path}: cannot be read: {in_one_line(error)}") from error


def read_json(path: Path):
    """Return what a JSON file says, or raise a ConfigError that names the line."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path}: cannot be read: line {error.lineno}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: cannot be read: nested too deep") from error


def utterance_file(folder: Path, utterance: str, suffix: str) -> Path:
    """Return where an utterance's file lies in a folder.

    Raises:
        ConfigError: The id is no file name, so that the file could lie elsewhere.
    """
    require_file_name(utterance, f"{folder}: utterance")
    return Path(folder) / f"{utterance}{suffix}"


def require_file_name(name: str, where: str) -> None:
    """Raise a ConfigError unless a name can be a file's in any folder."""
    if "/" in name or name in ("", ".", "..") or not name.isprintable():
        raise ConfigError(
            f"{where} {name!r}: is no file name; take ids without / and unprintable "
            "characters"
        )


def read_table(path: Path) -> dict[str, str]:
    """Return a file of `<utterance> <value>` lines, as Kaldi and ESPnet have them."""
    from espnet2.fileio.read_text import read_2columns_text

    text = read_text(path)
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        if text and not line.strip():
            raise ConfigError(f"{path}: line {number} is blank; remove it")
    try:
        return read_2columns_text(path)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {in_one_line(error)}") from error


def read_rows(path: Path, keys: Iterable[str], remedy: str = "") -> dict[str, str]:
    """Return a table as `read_table` does, which has to have these utterances.

    Raises:
        ConfigError: One is missing; the remedy ends the message.
    """
    table = read_table(path)
    missing = [key for key in keys if key not in table]
    if missing:
        told = f"{path}: no {Path(path).name} for {', '.join(missing[:10])}"
        raise ConfigError(f"{told}; {remedy}" if remedy else told)
    return table


def read_durations(path: Path, utterances: Iterable[str]) -> dict[str, list[int]]:
    """Read frames a token, as ESPnet's ``durations`` has them, of these utterances.

    Raises:
        ConfigError: An utterance is missing, a value is no number of frames.
    """
    utterances = list(utterances)
    table = read_rows(path, utterances)
    return {utt: _frames(table[utt].split(), f"{path}: {utt}") for utt in utterances}


def _frames(values: list[str], where: str) -> list[int]:
    for value in values:
        if not re.fullmatch("[0-9]{1,9}", value):
            raise ConfigError(
                f"{where}: {in_one_line(ValueError(value), 40)!r} is no number of "
                "frames; give whole frames a token, 0 or more"
            )
    return list(map(int, values))
