"""Run commands in children that are killed before each rename and each removal.

A program. It reads from stdin, as JSON, a folder to work in and a list of calls, each a
list of a module and its arguments, which are run one after the other. It ends with
status 0 if, after each kill, each file whose name has no dot in front equals that of an
uninterrupted run, and prints the number of kills. With `again` the calls are run
once more after each kill, and have to come to the same, with nothing hidden left. With
calls to make `before`, a killed child leaves what those made, the whole or nothing.
"""

import functools
import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path


def visible(root: Path) -> dict[str, str]:
    """Files that no part of a name hides, by what is in them."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }


EVENTS = ("os.rename", "os.remove", "os.rmdir")


def hidden(root: Path) -> list[str]:
    """Return the names of leftover hidden files; a lock may stay."""
    found = (path.name for path in root.rglob(".*"))
    return [name for name in found if name != ".lock"]


def run(calls, kill=None) -> bool:
    """Run calls in a child; return whether it was killed, before that rename."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.WEXITSTATUS(status) == 0, calls
        return killed
    left = kill

    def count(event, arguments):
        nonlocal left
        if event in EVENTS and kill:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    status = 1
    try:
        for module, *arguments in calls:
            status = importlib.import_module(module).main(arguments) or 0
    finally:
        sys.stderr.flush()
        os._exit(status)


def main():
    task = json.load(sys.stdin)
    root, calls = Path(task["root"]), task["calls"]
    os.chdir(root)
    if task["registered"]:
        import espnet_distill

        espnet_distill.register()
    kept = {path.name for path in root.iterdir()}
    before = task["before"]
    prepare = functools.partial(run, before) if before else lambda: None
    prepare()
    old = visible(root)
    run(calls)
    whole, kills = visible(root), 0
    while True:
        for path in root.iterdir():
            if path.name not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        nothing = visible(root)
        prepare()
        if not run(calls, kill=kills + 1):
            break
        kills += 1
        found = visible(root)
        message = f"kill {kills} left {sorted(found)}"
        if before:
            assert found in (old, whole, nothing), message
        else:
            assert found.items() <= whole.items(), message
        if task["again"]:
            run(calls)
            assert visible(root) == whole, f"kill {kills}, run again"
            assert not hidden(root), f"kill {kills}, run again, left {hidden(root)}"
    print(f"{kills} kills")


if __name__ == "__main__":
    main()
