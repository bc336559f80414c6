"""Train in child processes that are killed and resumed.

Reads a JSON list of jobs from stdin and prints the files that each kill left. A job is
a mapping of `command`, the training's options without `--output_dir`; `out`, its
folder; and `kill`, the fraction of its duration (`{"time": …}`) or of its changes to
files (`{"file": …}`) after which it is killed. The first job is not killed; it measures
the duration and counts the changes.
"""

import json
import os
import shutil
import signal
import sys
import time

from espnet_distill.tasks.text2mel import DistillTTSTask

CHANGES = ("os.rename", "os.remove", "os.symlink", "os.mkdir")


class Changes:
    """Counts a process's changes to a folder, and kills it before one of them."""

    def __init__(self, folder, last=None):
        self.folder, self.last, self.count = folder, last, 0

    def __call__(self, event, arguments):
        writes = event == "open" and set(str(arguments[1])) & set("wax")
        if not (writes or event in CHANGES):
            return
        if not any(str(place).startswith(self.folder) for place in arguments):
            return
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def start(job, last=None, resume=False):
    """Fork a child that trains and return its id and the end of a pipe."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    changes = Changes(job["out"], last)
    sys.addaudithook(changes)
    options = ["--output_dir", job["out"], "--resume", str(resume).lower()]
    try:
        DistillTTSTask.main(cmd=[*job["command"], *options])
        os.write(writing, str(changes.count).encode())
    finally:
        os._exit(0)


def end(child, reading):
    """Wait for a child; return whether it was killed, and its changes to files."""
    with os.fdopen(reading) as pipe:
        count = pipe.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or count, "the training failed, see above"
    return killed, int(count or 0)


def kill(job, duration, changes):
    """Start a job and kill it; one that was faster than that is begun anew."""
    ((kind, share),) = job["kill"].items()
    if kind == "time":
        child, pipe = start(job)
        time.sleep(share * duration)
        os.kill(child, signal.SIGKILL)
    else:
        child, pipe = start(job, last=1 + int(share * changes))
    killed, _ = end(child, pipe)
    if not killed:
        shutil.rmtree(job["out"])
        kill(job | {"kill": {kind: share / 2}}, duration, changes)


def main():
    begin = time.perf_counter()
    whole, *jobs = json.load(sys.stdin)
    _, changes = end(*start(whole))
    duration = time.perf_counter() - begin
    for job in jobs:
        kill(job, duration, changes)
        found = os.listdir(job["out"]) if os.path.isdir(job["out"]) else []
        print(job["kill"], sorted(found))
        end(*start(job, resume=True))


main()
