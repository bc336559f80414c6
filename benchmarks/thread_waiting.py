"""Compare OpenMP wait policies in training, on idle and on busy cores.

A small FastSpeech2 student takes optimizer steps on random data, on two threads pinned
to two cores. Threads waiting at a barrier spin or sleep: each variant sets the policy
in the environment of a separate process. The variants alternate, first on idle cores,
then beside a process that keeps one core busy. Figures are medians. `--realtime` (root
only) keeps other processes off the cores for the first table.
"""

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path
from statistics import median

import yaml

from espnet_distill.utils.files import write_csv
from espnet_distill.utils.markdown import aligned

VARIANTS = {
    "default": {},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    **{
        f"GOMP_SPINCOUNT={count}": {"GOMP_SPINCOUNT": str(count)}
        for count in (500, 1000, 2000, 4000, 8000)
    },
    "KMP_BLOCKTIME=0": {"KMP_BLOCKTIME": "0"},
}
FIGURES = ("step_s", "ratio", "slowest_s", "cpu_s")
COLUMNS = ("cores", "variant", *FIGURES)
PRESET = Path(__file__).parents[1] / "conf/students/fastspeech2_small.yaml"
TOKENS, MELS, BATCH, LENGTH, FRAMES_EACH = 60, 80, 4, 30, 6


def random_batch() -> dict:
    """Return a random batch for FastSpeech2: (BATCH, LENGTH) tokens."""
    import torch

    generator = torch.Generator().manual_seed(0)
    counted = LENGTH + 1  # with the end-of-sentence token
    frames = counted * FRAMES_EACH
    lengths = torch.full((BATCH,), counted)
    text = torch.randint(1, TOKENS - 1, (BATCH, LENGTH), generator=generator)
    return {
        "text": text,
        "text_lengths": lengths - 1,
        "feats": torch.randn(BATCH, frames, MELS, generator=generator),
        "feats_lengths": lengths * FRAMES_EACH,
        "durations": torch.full((BATCH, counted), FRAMES_EACH),
        "durations_lengths": lengths,
        "pitch": torch.randn(BATCH, counted, 1, generator=generator),
        "pitch_lengths": lengths,
        "energy": torch.randn(BATCH, counted, 1, generator=generator),
        "energy_lengths": lengths,
    }


def train(pipe, cores: list[int]) -> None:
    """Take the number of steps in each message; reply with (wall, CPU) seconds each."""
    os.sched_setaffinity(0, cores)
    import torch
    from espnet2.tts.fastspeech2 import FastSpeech2

    torch.set_num_threads(len(cores))
    conf = yaml.safe_load(PRESET.read_text())["tts_conf"]
    model = FastSpeech2(TOKENS, MELS, **conf).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    batch = random_batch()
    while steps := pipe.recv():
        times = []
        for _ in range(steps):
            wall, cpu = time.perf_counter(), time.process_time()
            loss, *_ = model(**batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        pipe.send(times)


def keep_busy(core: int, seconds: float) -> None:
    """Occupy one core for at most ``seconds``."""
    os.sched_setaffinity(0, {core})
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100000))


def start_workers(context, cores: list[int]) -> tuple[dict, list]:
    """Start a process for each variant, with its environment variables."""
    pipes, workers = {}, []
    for name, environment in VARIANTS.items():
        pipes[name], end = context.Pipe()
        previous = dict(os.environ)
        for known in VARIANTS.values():
            for key in known:
                os.environ.pop(key, None)
        os.environ.update(environment, OMP_NUM_THREADS=str(len(cores)))
        workers.append(context.Process(target=train, args=(end, cores), daemon=True))
        workers[-1].start()
        os.environ.clear()
        os.environ.update(previous)
    return pipes, workers


def take_turns(pipes: dict, rounds: int, steps: int) -> dict:
    """Return the (wall, CPU) seconds of all steps of each variant."""
    times = {name: [] for name in pipes}
    for number in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(steps)
            times[name] += pipe.recv()
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return times


def rows_of(cores: str, times: dict) -> list[dict]:
    rows = []
    for name, samples in times.items():
        wall, cpu = zip(*samples)
        row = {"cores": cores, "variant": name, "step_s": median(wall)}
        rows.append(row | {"slowest_s": max(wall), "cpu_s": median(cpu)})
    for row in rows:
        row["ratio"] = row["step_s"] / rows[0]["step_s"]
    return rows


def schedule(workers: list, policy: int, priority: int) -> None:
    """Set the scheduling policy of all threads of the processes."""
    for worker in workers:
        for thread in os.listdir(f"/proc/{worker.pid}/task"):
            os.sched_setscheduler(int(thread), policy, os.sched_param(priority))


def measure(
    rounds: int, steps: int, cores: list[int], realtime: bool = False
) -> list[dict]:
    """Return a row for each variant, on idle cores and with one core busy."""
    context = multiprocessing.get_context("spawn")
    pipes, workers = start_workers(context, cores)
    take_turns(pipes, 1, 1)  # warm-up
    if realtime:
        schedule(workers, os.SCHED_RR, 1)
    rows = rows_of("idle", take_turns(pipes, rounds, steps))
    schedule(workers, os.SCHED_OTHER, 0)
    busy = context.Process(target=keep_busy, args=(cores[0], 1800), daemon=True)
    busy.start()
    rows += rows_of("one busy", take_turns(pipes, rounds, steps))
    for process in (busy, *workers):
        process.terminate()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="turns of each variant")
    parser.add_argument("--steps", type=int, default=3, help="steps of a turn")
    parser.add_argument("--cores", type=int, nargs="+", default=[0, 1])
    parser.add_argument(
        "--realtime", action="store_true", help="real-time scheduling on idle cores"
    )
    parser.add_argument("--csv", type=Path, help="also write one line a row")
    args = parser.parse_args()
    rows = measure(args.rounds, args.steps, args.cores, args.realtime)
    columns = {
        "Cores": [row["cores"] for row in rows],
        "Waiting": [row["variant"] for row in rows],
        "s a step": [f"{row['step_s']:.3f}" for row in rows],
        "of the default": [f"{row['ratio']:.2f}" for row in rows],
        "slowest": [f"{row['slowest_s']:.3f}" for row in rows],
        "CPU s a step": [f"{row['cpu_s']:.3f}" for row in rows],
    }
    if args.csv:
        lines = [
            [row["cores"], row["variant"], *(f"{row[key]:.4g}" for key in FIGURES)]
            for row in rows
        ]
        write_csv(args.csv, COLUMNS, lines)
    print(aligned(columns))


if __name__ == "__main__":
    main()
