"""How much faster ESPnet's LJSpeech FastSpeech2 speaks once it is made smaller.

Text to mel on one thread, with random weights: the model of 37 M parameters and what
`espnet-distill prune` makes of it in equal widths, chosen by parameters alone and by
what each width costs here. All models take turns, and each figure is a median.
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
    """Return a row for the model itself, pressure 0, and one for each smaller one."""
    conf = training_config("fastspeech2")["tts_conf"]
    described = ConfigSpace("fastspeech2", conf, TOKENS, MELS)
    models = [described.kind(TOKENS, MELS, **conf)]
    traced = described.kind(TOKENS, MELS, **conf)
    widths = Widths(described, groups_of(traced, lambda: described.config_dims))
    scales = {"params": None, "latency": latency_scales(described, widths.config_dims)}
    rows = [{"pressure": 0.0, "objective": "", "sizes": {}}]
    for pressure in PRESSURES:
        for objective in OBJECTIVES:
            sizes = widths.choose(pressure, scales[objective])
            row = {"pressure": pressure, "objective": objective, "sizes": sizes}
            rows.append(row)
            models.append(described.kind(TOKENS, MELS, **(conf | sizes)))
    seconds = seconds_a_frame(models, repeats)
    for row, model, own in zip(rows, models, seconds):
        row["params"] = parameters(model)
        row["rtf"] = own * FRAMES_A_SECOND
        row["speed_ratio"] = seconds[0] / own
        row["sizes"] = " ".join(f"{key}={n}" for key, n in row["sizes"].items())
    return rows


def to_markdown(rows: list[dict]) -> str:
    """Return a table."""
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
    parser.add_argument("--json", action="store_true", help="print one object, ratios")
    parser.add_argument("--csv", type=Path, help="write a line a model")
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
        chosen = [row for row in rows if row["objective"] == "latency"]
        ratios = {str(r["pressure"]): round(r["speed_ratio"], 2) for r in chosen}
        json.dump(ratios, sys.stdout)
        print()
    else:
        print(to_markdown(rows))


if __name__ == "__main__":
    main()
