"""Measure the runtime of voices: from the start of a process to its first sound.

An environment of its own has the light distribution alone:

    python3 -m venv light && light/bin/pip install "./runtime[text]"
    python3 benchmarks/runtime.py light/bin/python voice/

Process CPU seconds and peak memory are those at the end of each stage, since the start of
the process; medians of separate processes. `first byte` is the wall time from the start
of the program to the first byte of its stream.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path
from statistics import median

from espnet_distill.utils.markdown import aligned

TEXT = "The baker measured the flour twice before lighting the oven."
STAGES = ("interpreter", "imports", "phonemes", "graph", "first sound")
PROGRAM = """
import json, resource, sys, time
marks = []
def mark():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    marks.append((time.process_time(), peak))
mark()
import onnxruntime
from espnet_distill_voice import Voice
mark()
voice = Voice(sys.argv[1])
voice.phonemize(sys.argv[2])
mark()
voice._graph
mark()
wave = next(voice.stream(sys.argv[2]))
mark()
print(json.dumps([marks, len(wave) / voice.sample_rate]))
"""
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}


def measure_stages(python: Path, voice: Path, text: str) -> tuple[list, float]:
    """Return (CPU seconds, MiB) of each stage, and the seconds of the audio."""
    command = [python, "-c", PROGRAM, voice, text]
    done = subprocess.run(command, capture_output=True, check=True, env=ENVIRONMENT)
    return json.loads(done.stdout)


def measure_program(python: Path, voice: Path, text: str) -> tuple[float, float, float]:
    """Return wall seconds to the first byte, and CPU seconds and MiB of the process."""
    command = [python.with_name("espnet-distill-voice"), "synthesize", voice, text]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--out", "-"], stdout=subprocess.PIPE, env=ENVIRONMENT
    )
    process.stdout.read(1)
    first = time.perf_counter() - started
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return first, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def installed_bytes(python: Path) -> tuple[int, int]:
    """Return bytes of the environment's packages, all and without bytecode.

    pip and setuptools, with which venv fills it, are not counted.
    """
    (site,) = python.absolute().parents[1].glob("lib/python*/site-packages")
    total = compiled = 0
    for path in site.rglob("*"):
        top = path.relative_to(site).parts[0]
        if top.startswith(("pip", "setuptools", "pkg_resources", "_distutils")):
            continue
        if path.is_file() and not path.is_symlink():
            total += path.stat().st_size
            compiled += path.stat().st_size * (path.suffix == ".pyc")
    return total, total - compiled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, help="of an environment with the runtime")
    parser.add_argument("voice", type=Path)
    parser.add_argument("--text", default=TEXT)
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args()
    stages, programs = [], []
    for _ in range(args.repeats):
        marks, audio = measure_stages(args.python, args.voice, args.text)
        stages.append(marks)
        programs.append(measure_program(args.python, args.voice, args.text))
    first, cpu, peak = map(median, zip(*programs))
    figures = [
        [median(run[at][one] for run in stages) for one in (0, 1)]
        for at in range(len(STAGES))
    ]
    figures.append([cpu, peak])
    table = {
        "stage": [*STAGES, "the program, to its end"],
        "CPU s": [f"{seconds:.2f}" for seconds, _ in figures],
        "peak MiB": [f"{peak:.0f}" for _, peak in figures],
    }
    print(aligned(table))
    total, bare = installed_bytes(args.python)
    print(f"first byte of {audio:.1f} s of audio: {first:.2f} s of wall time")
    print(f"installed: {total / 1e6:.0f} MB, {bare / 1e6:.0f} without bytecode")


if __name__ == "__main__":
    main()
