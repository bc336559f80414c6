"""Measure the speed of ESPnet's LJSpeech FastSpeech2 before and after pruning.

Text to mel on one thread, with random weights: the model of 37 M parameters, and its
versions with the uniform widths of `espnet-distill prune`, allocated by parameters or
by measured latency. The models alternate; figures are medians.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from ljspeech import FRAMES_A_SECOND, MELS, TOKENS, training_config

from espnet_distill.profiling.dummy_input import seconds_a_frame
from espnet_distill.profiling.macs import parameters
from espnet_distill.pruning.allocation.config_widths import Widths
from espnet_distill.pruning.allocation.latency import latency_scales
from espnet_distill.students.find_groups import groups_of
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.utils.files import write_csv
from espnet_distill.utils.markdown import aligned

PRESSURES = (0.5, 0.8)
OBJECTIVES = ("params", "latency")
COLUMNS = ("pressure", "objective", "params", "rtf", "speed_ratio", "sizes")


def measure(repeats: int) -> list[dict]:
    """Return a row for the model itself, pressure 0, and one for each pruned model."""
    conf = training_config("fastspeech2")["tts_conf"]
    space = ConfigSpace("fastspeech2", conf, TOKENS, MELS)
    models = [space.kind(TOKENS, MELS, **conf)]
    traced = space.kind(TOKENS, MELS, **conf)
    widths = Widths(space, groups_of(traced, lambda: space.config_dims))
    scales = {"params": None, "latency": latency_scales(space, widths.config_dims)}
    rows = [{"pressure": 0.0, "objective": "", "sizes": {}}]
    for pressure in PRESSURES:
        for objective in OBJECTIVES:
            sizes = widths.choose(pressure, scales[objective])
            row = {"pressure": pressure, "objective": objective, "sizes": sizes}
            rows.append(row)
            models.append(space.kind(TOKENS, MELS, **(conf | sizes)))
    seconds = seconds_a_frame(models, repeats)
    for row, model, model_seconds in zip(rows, models, seconds):
        row["params"] = parameters(model)
        row["rtf"] = model_seconds * FRAMES_A_SECOND
        row["speed_ratio"] = seconds[0] / model_seconds
        row["sizes"] = " ".join(f"{key}={n}" for key, n in row["sizes"].items())
    return rows


def to_markdown(rows: list[dict]) -> str:
    """Return the rows as a Markdown table."""
    columns = {
        "Widths by": [row["objective"] for row in rows],
        "Pressure": [f"{row['pressure']:.1f}" for row in rows],
        "Parameters": [f"{row['params']:,}" for row in rows],
        "RTF": [f"{row['rtf']:.4f}" for row in rows],
        "Faster": [f"{row['speed_ratio']:.2f} ×" for row in rows],
        "Sizes": [row["sizes"] for row in rows],
    }
    return aligned(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="rounds of all models")
    parser.add_argument(
        "--json", action="store_true", help="print the ratios as one object"
    )
    parser.add_argument("--csv", type=Path, help="also write one line a model")
    args = parser.parse_args()
    torch.manual_seed(0)
    rows = measure(args.repeats)
    if args.csv:
        digits = {"rtf": 5, "speed_ratio": 2}
        lines = [
            [round(row[k], digits[k]) if k in digits else row[k] for k in COLUMNS]
            for row in rows
        ]
        write_csv(args.csv, COLUMNS, lines)
    if args.json:
        by_latency = [row for row in rows if row["objective"] == "latency"]
        ratios = {str(r["pressure"]): round(r["speed_ratio"], 2) for r in by_latency}
        json.dump(ratios, sys.stdout)
        print()
    else:
        print(to_markdown(rows))


if __name__ == "__main__":
    main()
