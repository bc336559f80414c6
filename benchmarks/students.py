"""Measure size and text-to-mel speed of the student presets in conf/students.

Each preset, with random weights, synthesizes a sentence of four seconds at given
durations on one thread, against the 37 M FastSpeech2 of ESPnet's LJSpeech recipe; the
models alternate in one run. Autoregressive models feed their frames back, as in
synthesis.

--evaluation adds the results of `espnet-distill evaluate` for students trained from
these presets, in folders <preset> or <preset>_seed<N> (averaged over seeds).
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import mean, median

import torch
import yaml
from ljspeech import FRAMES_A_SECOND, MELS, TOKENS, training_config
from tqdm import tqdm

from espnet_distill.evaluation.seed_summary import read_runs
from espnet_distill.profiling.dummy_input import dummy_durations
from espnet_distill.profiling.macs import parameters
from espnet_distill.profiling.speed import on_threads, round_robin
from espnet_distill.utils.files import write_csv, write_text
from espnet_distill.utils.markdown import aligned

ROOT = Path(__file__).parents[1]
PRESETS = ROOT / "conf" / "students"
REFERENCE = "ESPnet's LJSpeech FastSpeech2"
COLUMNS = ("name", "params", "size_ratio", "speed_ratio", "wer", "dnsmos", "mcd")


def build(conf: dict) -> torch.nn.Module:
    """Return the model of a training configuration, with random weights."""
    from espnet2.tasks.tts import tts_choices

    import espnet_distill

    espnet_distill.register()
    kind = tts_choices.get_class(conf["tts"])
    return kind(idim=TOKENS, odim=MELS, **conf["tts_conf"])


def models() -> dict[str, torch.nn.Module]:
    """Return the reference model and every preset, by name."""
    confs = {REFERENCE: training_config("fastspeech2")}
    for path in sorted(PRESETS.glob("*.yaml")):
        confs[path.stem] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: build(conf) for name, conf in confs.items()}


def measure(repeats: int) -> list[dict]:
    """Return a row a model: parameters, real-time factor, ratios to the reference."""
    by_name = models()
    synthesis = {name: dummy_durations(model) for name, model in by_name.items()}
    seconds: dict[str, list[float]] = {name: [] for name in by_name}
    schedule = list(round_robin(list(by_name), 1, repeats))
    with on_threads(1):
        for _, name in tqdm(schedule, desc="speed"):
            start = time.perf_counter()
            synthesis[name][0]()
            seconds[name].append(time.perf_counter() - start)
    rows = [
        {
            "name": name,
            "params": parameters(model),
            "rtf": median(seconds[name]) * FRAMES_A_SECOND / synthesis[name][1],
        }
        for name, model in by_name.items()
    ]
    return [
        row
        | {
            "size_ratio": rows[0]["params"] / row["params"],
            "speed_ratio": rows[0]["rtf"] / row["rtf"],
        }
        for row in rows
    ]


def add_quality(rows: list[dict], evaluation: Path) -> None:
    """Add WER, DNSMOS and MCD to the rows of evaluated presets."""
    runs = read_runs(evaluation / "table.json")
    for row in rows:
        seeds = runs.get(row["name"], {}).values()
        for key in ("wer", "dnsmos", "mcd") if seeds else ():
            if all(run[key] is not None for run in seeds):
                row[key] = mean(run[key] for run in seeds)


def to_markdown(rows: list[dict]) -> str:
    """Return the rows as a Markdown table, without empty columns."""
    columns = {
        "": [row["name"] for row in rows],
        "Parameters": [f"{row['params']:,}" for row in rows],
        "Smaller": [f"{row['size_ratio']:.1f} ×" for row in rows],
        "RTF": [f"{row['rtf']:.4f}" for row in rows],
        "Faster": [f"{row['speed_ratio']:.1f} ×" for row in rows],
    }
    for key, title, form in (
        ("wer", "WER (%)", ".1f"),
        ("dnsmos", "DNSMOS", ".2f"),
        ("mcd", "MCD (dB)", ".2f"),
    ):
        cells = [format(row[key], form) if key in row else None for row in rows]
        if any(cells):
            columns[title] = cells
    return aligned(columns)


def rounded(row: dict) -> list:
    """Return a row's line of the CSV, rounded."""
    digits = {"size_ratio": 2, "speed_ratio": 2, "wer": 4, "dnsmos": 4, "mcd": 4}
    return [
        round(row[key], digits[key]) if key in digits and key in row else row.get(key)
        for key in COLUMNS
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="fewer repeats, within a minute"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the ratios as one object"
    )
    parser.add_argument(
        "--evaluation", type=Path, help="folder with the students' table.json"
    )
    parser.add_argument("--csv", type=Path, help="also write one line a preset")
    parser.add_argument(
        "--write", type=Path, help="replace the table between a file's marks"
    )
    args = parser.parse_args()
    rows = measure(5 if args.quick else 30)
    if args.evaluation:
        add_quality(rows, args.evaluation)
    if args.csv:
        write_csv(args.csv, COLUMNS, map(rounded, rows[1:]))
    if args.write:
        begin, end = "<!-- students -->", "<!-- end -->"
        before, opened, rest = args.write.read_text(encoding="utf-8").partition(begin)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            parser.exit(2, f"{args.write}: no marks {begin} and {end}\n")
        text = f"{before}{begin}\n{to_markdown(rows)}\n{end}{after}"
        write_text(args.write, text)
    if args.json:
        ratios = {
            row["name"]: {k: round(row[k], 2) for k in ("size_ratio", "speed_ratio")}
            for row in rows[1:]
        }
        json.dump(ratios, sys.stdout)
        print()
    else:
        print(to_markdown(rows))


if __name__ == "__main__":
    main()
