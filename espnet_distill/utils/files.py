"""Atomic writes, cache and work folders, and readers with one-line errors."""

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
from espnet_distill.voice.places import file_of, is_stream


def cache_folder() -> Path:
    """Return `${XDG_CACHE_HOME:-~/.cache}/espnet_distill`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache.resolve() / "espnet_distill"


@contextlib.contextmanager
def written_whole(path: Path, flush: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which is renamed to it after the block.

    If the block raises, the temporary file is removed. The folder is created if needed.
    The suffix is kept, for writers that depend on it. Temporary files that killed
    processes left in the folder are removed. A device or a pipe is yielded itself.

    Args:
        path: The file to write.
        flush: Whether to flush the file to the disk before it is renamed. Without it, a
            power cut may leave an empty file; for files that are validated on reading.
    """
    path = file_of(Path(path))
    if is_stream(path):
        yield path
        return
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
    """Yield a temporary folder beside `folder`, which is renamed to it after the block.

    Args:
        folder: The folder to write.
        instead: Whether to replace an existing folder, which is moved aside first: the
            name always refers to the old folder, the new one, or briefly to none.

    Raises:
        ConfigError: Another process has created the folder in the meantime.
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
                    _rename(beside, folder)
                except BaseException:
                    if not folder.exists():
                        old.rename(folder)
                    raise
        else:
            _rename(beside, folder)


def _rename(beside: Path, folder: Path) -> None:
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
    """Yield a hidden folder beside a path, which is removed after the block.

    Temporary files that killed processes left beside the path are removed, too.
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
    """Flush a file, or the entries of a folder, to the disk (fsync)."""
    if path.is_symlink():
        return
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system without fsync of folders
            raise
    finally:
        os.close(file)


def flush_disk() -> None:
    """Flush all pending writes of this machine to the disk.

    One call serves thousands of small files, each of which takes
    `flush_to_disk` milliseconds.
    """
    os.sync()


_parts = itertools.count()


def _part_of(path: Path) -> Path:
    """Return a hidden path beside `path` that is unique to this process and call."""
    name = f".{path.stem}.{current_process()}-{next(_parts)}.part{path.suffix}"
    return path.with_name(name)


PART = re.compile(rf"\..*\.(?P<process>{PROCESS})-\d+\.part(\..*)?", re.DOTALL)


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of ended processes of this machine in a folder."""
    for part in folder.iterdir():
        match = PART.fullmatch(part.name)
        if match and has_ended(match["process"]):
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    part.unlink()


def remove_parts(folder: Path) -> None:
    """Remove the temporary files of any process; the caller holds the folder's lock."""
    for part in folder.glob(".*.part*"):
        part.unlink()


_cleaned_folders: set[tuple[int, str]] = set()


def _remove_abandoned_once(folder: Path) -> None:
    """Call `remove_abandoned` once per process, as dumps write thousands of files."""
    key = (os.getpid(), os.path.realpath(folder))
    if key not in _cleaned_folders:
        remove_abandoned(folder)
        _cleaned_folders.add(key)


@contextlib.contextmanager
def folders_above(path: Path) -> Iterator[None]:
    """Create the parents of a path; after the block, remove those that are empty."""
    require_makeable(path)
    created = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for folder in created:
                folder.rmdir()


def require_makeable(path: Path) -> None:
    """Raise a ConfigError if a path is not writable, without creating anything."""
    path = Path(path)
    ancestors = (path, *path.absolute().parents)
    existing = next(place for place in ancestors if place.exists())
    if not existing.is_dir() and existing != path:
        raise ConfigError(f"{path}: {existing} is no folder; name another place")
    if not os.access(existing, os.W_OK):
        raise ConfigError(
            f"{path}: {existing} cannot be written to; name another place"
        )


def require_folder(path: Path) -> None:
    """Raise a ConfigError if a path cannot be a writable folder; it is not created."""
    require_makeable(path)
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path}: is no folder; name another place")


def require_new(folder: Path) -> None:
    """Raise a ConfigError if a folder exists or cannot be created."""
    if os.path.lexists(folder):
        raise ConfigError(f"{folder} exists: name a new folder")
    require_makeable(folder)


def write_text(path: Path, text: str, flush: bool = True) -> None:
    """Write a UTF-8 text file atomically; see `written_whole`."""
    with written_whole(path, flush) as beside:
        beside.write_text(text, encoding="utf-8")


def write_csv(path: Path, header: Iterable[str], lines: Iterable[Iterable]) -> None:
    """Write a CSV file atomically; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    write_text(path, text.getvalue())


def write_wav(path: Path, wave, rate: int) -> None:
    """Write a 16-bit WAV file; a full disk raises an OSError with its reason."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, "PCM_16", format="WAV")
    Path(path).write_bytes(buffer.getbuffer())


def require_no_pipe(path: Path) -> None:
    """Raise a ConfigError for a named pipe, on which a reader could wait forever.

    A shell's `<(command)` lies below /dev, has a writer and is accepted.
    """
    if Path(path).is_fifo() and not Path(path).is_relative_to("/dev"):
        raise ConfigError(f"{path}: cannot be read: it is a pipe; name a file")


def write_array(path: Path, array) -> None:
    """Write a NumPy array; a full disk raises an OSError with its reason."""
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, array)
    Path(path).write_bytes(buffer.getbuffer())


def tensor_bytes(state) -> bytes:
    """Return the content of a file that torch.save writes."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def write_tensors(path: Path, state) -> None:
    """Write a file as torch.save; a full disk raises an OSError with its reason."""
    Path(path).write_bytes(tensor_bytes(state))


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file; raise a ConfigError if it cannot be read.

    A byte order mark, as of Windows, is left out.
    """
    require_no_pipe(path)
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}: cannot be read: line {line} is not UTF-8; save it as UTF-8"
        ) from error


def read_yaml(path: Path):
    """Return the content of a YAML file; raise a ConfigError that names the line."""
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
    """Return the content of a JSON file; raise a ConfigError that names the line."""
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
    """Return the path of an utterance's file in a folder.

    Raises:
        ConfigError: The id is not a valid file name, and could lead out of the folder.
    """
    require_file_name(utterance, f"{folder}: utterance")
    return Path(folder) / f"{utterance}{suffix}"


def require_file_name(name: str, where: str) -> None:
    """Raise a ConfigError unless a name is valid as a file name in any folder."""
    if "/" in name or name in ("", ".", "..") or not name.isprintable():
        raise ConfigError(
            f"{where} {name!r}: is no file name; take ids without / and unprintable "
            "characters"
        )


def read_table(path: Path) -> dict[str, str]:
    """Read a Kaldi table of `<utterance> <value>` lines: utterance → value.

    Raises:
        ConfigError: The file cannot be read, or has blank or repeated entries.
    """
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
    """Read a table as `read_table` does, and require rows for these utterances.

    Args:
        path: The file.
        keys: The required utterances.
        remedy: A suffix of the message.

    Raises:
        ConfigError: Rows are missing; the first ten are named.
    """
    table = read_table(path)
    missing = [key for key in keys if key not in table]
    if missing:
        message = f"{path}: no {Path(path).name} for {', '.join(missing[:10])}"
        raise ConfigError(f"{message}; {remedy}" if remedy else message)
    return table


def read_durations(path: Path, utterances: Iterable[str]) -> dict[str, list[int]]:
    """Read ESPnet's ``durations``: utterance → frames per token.

    Raises:
        ConfigError: An utterance is missing, or a value is no number of frames.
    """
    utterances = list(utterances)
    table = read_rows(path, utterances)
    return {
        utt: _parse_frames(table[utt].split(), f"{path}: {utt}") for utt in utterances
    }


def _parse_frames(values: list[str], where: str) -> list[int]:
    for value in values:
        if not re.fullmatch("[0-9]{1,9}", value):
            raise ConfigError(
                f"{where}: {summarize(ValueError(value), 40)!r} is no number of "
                "frames; give whole frames a token, 0 or more"
            )
    return list(map(int, values))


def check_file(path: str | None, option: str) -> None:
    """Raise a ConfigError if an option names a file that does not exist."""
    if path and not Path(path).is_file():
        raise ConfigError(f"{option}: {path} is no file")


def check_folder(path: Path, option: str) -> None:
    """Raise a ConfigError if an option's folder cannot be a writable folder."""
    with ErrorCollector() as faults:
        faults.check(require_folder, path, where=f"{option}: ")
