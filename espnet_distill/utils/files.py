"""Where files go, and how they are either whole or not there."""

import contextlib
import csv
import errno
import io
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector, summarize
from espnet_distill.utils.process_identity import PATTERN as PROCESS
from espnet_distill.utils.process_identity import current_process, has_ended


def cache_folder() -> Path:
    """Return `${XDG_CACHE_HOME:-~/.cache}/espnet_distill`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache.resolve() / "espnet_distill"


@contextlib.contextmanager
def written_whole(path: Path, flush: bool = True) -> Iterator[Path]:
    """Give a path beside `path`, which takes its name if the block ends well.

    The folder is made if need be; the suffix is kept, for writers that go by it. What
    processes that were killed have left in the folder is removed.

    Args:
        path: What is to be made.
        flush: Whether it is on the disk before it takes the name. Without, a power
            cut may leave an empty file: for what is checked as it is read.
    """
    path = Path(path)
    with folders_above(path):
        _remove_abandoned_once(path.parent)
        beside = _part_of(path)
        try:
            yield beside
            if flush:
                flush_to_disk(beside)
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def folder_written_whole(folder: Path, instead: bool = False) -> Iterator[Path]:
    """Give a folder beside `folder`, which takes its name if the block ends well.

    Args:
        folder: What is to be made.
        instead: Whether it replaces one of that name, which is moved aside before, so
            that under the name there is the old one, the new one, or for a moment none.

    Raises:
        ConfigError: Another process has made the folder in the meantime.
    """
    with work_folder(folder) as beside:
        yield beside
        beside.chmod(0o755)
        for path in (*beside.rglob("*"), beside):
            flush_to_disk(path)
        if instead and folder.exists():
            with work_folder(folder) as aside:
                old = folder.rename(aside / folder.name)
                try:
                    _take_name(beside, folder)
                except BaseException:
                    if not folder.exists():
                        old.rename(folder)
                    raise
        else:
            _take_name(beside, folder)


def _take_name(beside: Path, folder: Path) -> None:
    try:
        beside.rename(folder)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        raise ConfigError(
            f"{folder}: was made by another process in the meantime; name another "
            "folder"
        ) from error


@contextlib.contextmanager
def work_folder(beside: Path) -> Iterator[Path]:
    """Give a hidden folder beside a path, which is removed at the end of the block.

    What processes that were killed have left beside the path is removed, too.
    """
    with folders_above(beside):
        _remove_abandoned_once(beside.parent)
        folder = _part_of(beside)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def flush_to_disk(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    if path.is_symlink():
        return
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot do it to folders
            raise
    finally:
        os.close(file)


def flush_disk() -> None:
    """Have the system write to the disk all that this machine has written so far.

    Once for thousands of small files, where `flush_to_disk` takes milliseconds each.
    """
    os.sync()


_parts = itertools.count()


def _part_of(path: Path) -> Path:
    """Return a hidden path beside `path` that no other process or call has."""
    name = f".{path.stem}.{current_process()}-{next(_parts)}.part{path.suffix}"
    return path.with_name(name)


PART = re.compile(rf"\..*\.(?P<process>{PROCESS})-\d+\.part(\..*)?", re.DOTALL)


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes of this machine had begun to write in a folder."""
    for part in folder.iterdir():
        found = PART.fullmatch(part.name)
        if found and has_ended(found["process"]):
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    part.unlink()


def remove_parts(folder: Path) -> None:
    """Remove what any process had begun to write, for who has locked the folder."""
    for part in folder.glob(".*.part*"):
        part.unlink()


_looked_through: set[tuple[int, str]] = set()


def _remove_abandoned_once(folder: Path) -> None:
    """Do so once in a process: a dump writes thousands of files into a folder."""
    key = (os.getpid(), os.path.realpath(folder))
    if key not in _looked_through:
        remove_abandoned(folder)
        _looked_through.add(key)


@contextlib.contextmanager
def folders_above(path: Path) -> Iterator[None]:
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


def write_text(path: Path, text: str, flush: bool = True) -> None:
    """Write a text file in UTF-8, whole or not at all; see `written_whole`."""
    with written_whole(path, flush) as beside:
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


def write_array(path: Path, array) -> None:
    """Write a NumPy array; an OSError, as of a full disk, says what it is."""
    import numpy as np

    written = io.BytesIO()
    np.save(written, array)
    Path(path).write_bytes(written.getbuffer())


def write_tensors(path: Path, state) -> None:
    """Write what torch.save takes; an OSError, as of a full disk, says what it is."""
    import torch

    written = io.BytesIO()
    torch.save(state, written)
    Path(path).write_bytes(written.getbuffer())


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
        raise ConfigError(f"{path}: cannot be read: {summarize(error)}") from error


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
        raise ConfigError(f"{path}: cannot be read: {summarize(error)}") from error


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
                f"{where}: {summarize(ValueError(value), 40)!r} is no number of "
                "frames; give whole frames a token, 0 or more"
            )
    return list(map(int, values))


def check_file(path: str | None, option: str) -> None:
    """Raise ConfigError if an option names a file that is not there."""
    if path and not Path(path).is_file():
        raise ConfigError(f"{option}: {path} is no file")


def check_folder(path: Path, option: str) -> None:
    """Raise ConfigError if an option's folder can be no folder to write to."""
    with ErrorCollector() as faults:
        faults.check(require_folder, path, where=f"{option}: ")
