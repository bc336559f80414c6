"""Measure the peak resident memory of synthesis in a subprocess.

``python -m espnet_distill.profiling.memory CONFIG MODEL SENTENCE [VOCODER]`` loads an
experiment, synthesizes the sentence and prints two peaks in MB (1e6 bytes): after the
imports and at the end.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment


@dataclass(frozen=True)
class Memory:
    """Peak resident set in MB, after importing the libraries and overall."""

    libraries: float
    peak: float


def memory_of(
    experiment: Experiment, sentence: str, vocoder_file: str | None = None
) -> Memory:
    """Measure the peak memory of loading an experiment and synthesizing a sentence.

    Raises ConfigError with the subprocess's last line of stderr if it fails.
    """
    arguments = [experiment.config_file, experiment.checkpoint, sentence]
    arguments += [vocoder_file] if vocoder_file else []
    result = subprocess.run(
        [sys.executable, "-m", __name__, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    if result.returncode:
        reason = (result.stderr.strip() or f"status {result.returncode}").splitlines()[
            -1
        ]
        raise ConfigError(f"{experiment}: cannot synthesize in a subprocess: {reason}")
    return Memory(*map(float, result.stdout.splitlines()[-1].split()))


def peak_mb() -> float:
    """Peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    import resource  # fallback only: this peak starts at the parent's

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(
    config: str, model: str, sentence: str, vocoder_file: str | None = None
) -> None:
    """Synthesize a sentence on one thread and print both peaks."""
    import espnet2.bin.tts_inference  # noqa: F401

    from espnet_distill.profiling.speed import inputs_of, on_threads
    from espnet_distill.profiling.text2speech import text2speech

    libraries = peak_mb()
    with on_threads(1):
        system = text2speech(config, model, vocoder_file)
        system(**inputs_of(system, sentence))
    print(libraries, peak_mb())


if __name__ == "__main__":
    main(*sys.argv[1:])
