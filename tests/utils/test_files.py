"""Atomic writes of files and folders, and removal of abandoned temporary files."""

import os
import subprocess
import sys

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.utils import files, process_identity
from espnet_distill.utils.files import (
    folder_written_whole,
    read_text,
    remove_abandoned,
    write_text,
    written_whole,
)
from espnet_distill.utils.process_identity import current_process, has_ended

KILLED = """
import os, signal, sys
from pathlib import Path
from espnet_distill.utils.files import folder_written_whole, written_whole
folder, file = folder_written_whole(Path("folder")), written_whole(Path("a.txt"))
with folder as beside, file as part:
    (beside / "half").touch()
    part.touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """A folder in which a process was killed while it wrote a file and a folder."""
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path)
    left = sorted(name.split(".")[1] for name in os.listdir(tmp_path))
    assert left == ["a", "folder"]
    monkeypatch.setattr(files, "_cleaned_folders", set())
    return tmp_path


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_next_write_removes_abandoned_temporary_files(killed, kind):
    if kind == "file":
        write_text(killed / "a.txt", "whole")
    else:
        with folder_written_whole(killed / "folder"):
            pass
    assert os.listdir(killed) == ["a.txt" if kind == "file" else "folder"]


def test_temporary_files_of_running_and_remote_processes_are_kept(
    tmp_path, monkeypatch
):
    mine, other = (
        tmp_path / f".a.{machine}-{current_process().split('-', 1)[1]}-0.part"
        for machine in (current_process().split("-")[0], "0123abcd")
    )
    notes = tmp_path / ".my.part.notes"
    for path in (mine, other, notes):
        path.touch()
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([mine, other, notes])


def test_equal_process_ids_of_two_containers_differ(monkeypatch):
    own = current_process()
    process_identity._machine.cache_clear()
    monkeypatch.setattr(process_identity.socket, "gethostname", lambda: "other")
    try:
        other = current_process()
        assert other.split("-")[1:] == own.split("-")[1:] and other != own
        assert not has_ended(own) and not has_ended(other)
    finally:
        process_identity._machine.cache_clear()


def test_reused_process_id_is_another_process():
    machine, pid, start = current_process().split("-")
    assert has_ended(f"{machine}-{pid}-{int(start) + 1}")
    assert has_ended(f"{machine}-{2**22 + 1}-{start}")


def test_two_writers_of_one_file_use_two_temporary_files(tmp_path):
    with written_whole(tmp_path / "a") as one, written_whole(tmp_path / "a") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one" and len(os.listdir(tmp_path)) == 1


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "a").write_text("\ufeffann 1\n", encoding="utf-8")
    assert read_text(tmp_path / "a") == "ann 1\n"


def test_a_pipe_is_written_to_and_no_file_replaces_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_text(tmp_path / "pipe", "whole")
    assert os.read(reader, 99) == b"whole" and (tmp_path / "pipe").is_fifo()
    os.close(reader)


def test_the_name_of_an_open_file_stays(tmp_path):
    with open(tmp_path / "a", "w") as file:
        name = f"/dev/fd/{file.fileno()}"
        write_text(name, "whole")
        assert os.path.realpath(name).startswith(str(tmp_path))
    assert (tmp_path / "a").read_text() == "whole" and os.listdir(tmp_path) == ["a"]


def test_files_are_flushed_before_they_are_renamed(tmp_path, monkeypatch):
    events = []
    for name in ("fsync", "replace", "rename"):
        call = getattr(os, name)

        def record(*arguments, name=name, call=call):
            place = arguments[0]
            path = os.readlink(f"/proc/self/fd/{place}") if name == "fsync" else place
            events.append((name, os.path.basename(path).partition(".part")[0]))
            return call(*arguments)

        monkeypatch.setattr(os, name, record)
    write_text(tmp_path / "a.txt", "whole")
    with folder_written_whole(tmp_path / "folder") as beside:
        (beside / "b").write_text("b")
        work = beside.name.removesuffix(".part")
    (_, part), (_, replaced), *rest = events
    assert [name for name, _ in events[:2]] == ["fsync", "replace"] and part == replaced
    assert rest == [("fsync", "b"), ("fsync", work), ("rename", work)]
    events.clear()
    write_text(tmp_path / "a.txt", "found again", flush=False)
    assert [name for name, _ in events] == ["replace"]


def test_folder_made_by_another_process_is_kept(tmp_path):
    folder = tmp_path / "folder"
    with pytest.raises(ConfigError, match="folder: was made by another process in"):
        with folder_written_whole(folder) as beside:
            (beside / "second").touch()
            folder.mkdir()
            (folder / "first").touch()
    assert os.listdir(tmp_path) == ["folder"] and os.listdir(folder) == ["first"]


def test_a_folder_is_replaced_or_stays(tmp_path):
    for text in ("old", "new"):
        with folder_written_whole(tmp_path / "folder", instead=True) as beside:
            (beside / text).touch()
        assert os.listdir(tmp_path / "folder") == [text]
    with pytest.raises(ZeroDivisionError):
        with folder_written_whole(tmp_path / "folder", instead=True):
            1 / 0
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == ["new"]


def test_failed_replacement_restores_the_folder(tmp_path, monkeypatch):
    write_text(tmp_path / "out/old", "old")
    monkeypatch.setattr(files, "_rename", _refuse)
    with pytest.raises(OSError, match="no room"):
        with folder_written_whole(tmp_path / "out", instead=True):
            pass
    assert os.listdir(tmp_path / "out") == ["old"]
    assert os.listdir(tmp_path) == ["out"]


def _refuse(beside, folder):
    raise OSError("no room")
