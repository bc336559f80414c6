"""Resident memory of an experiment that speaks, in a process of its own.

``python -m espnet_distill.profiling.memory CONFIG MODEL SENTENCE [VOCODER]`` speaks
once and prints the peak in MB (1e6 bytes) before the experiment is loaded, and in all.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError


@dataclass(frozen=True)
class Memory:
    """Peak resident set in MB, and how much of it the libraries alone had taken."""

    libraries: float
    peak: float


def memory_of(
    config: Path, model: Path, sentence: str, vocoder_file: str | None = None
) -> Memory:
    """Measure loading an experiment and speaking once.

    Raises ConfigError if it cannot, with the last line that the process wrote.
    """
    arguments = [config, model, sentence, *([vocoder_file] if vocoder_file else [])]
    done = subprocess.run(
        [sys.executable, "-m", __name__, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        reason = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise ConfigError(f"{config}: cannot speak in a process of its own: {reason}")
    return Memory(*map(float, done.stdout.splitlines()[-1].split()))


def own_peak_mb() -> float:
    """Peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    import resource  # its peak begins with the parent's, hence only where it must be

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(
    config: str, model: str, sentence: str, vocoder_file: str | None = None
) -> None:
    """Speak once on one thread and print the peaks."""
    import espnet2.bin.tts_inference  # noqa: F401

    from espnet_distill.profiling.speed import inputs_of, on_threads
    from espnet_distill.profiling.text2speech import text2speech

    libraries = own_peak_mb()
    with on_threads(1):
        system = text2speech(config, model, vocoder_file)
        system(**inputs_of(system, sentence))
    print(libraries, own_peak_mb())


if __name__ == "__main__":
    main(*sys.argv[1:])
