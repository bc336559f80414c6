"""Measure the students that `derive` makes of ESPnet's LJSpeech models.

For five pressures: chosen sizes, deviation from the target parameters, and the
real-time factor, text to mel on one thread with random weights, against the teacher's.
"""

import argparse
import json
import sys
from pathlib import Path

from espnet2.tasks.tts import tts_choices
from ljspeech import FRAMES_A_SECOND, MELS, TOKENS, training_config
from tqdm import tqdm

from espnet_distill.profiling.dummy_input import cost
from espnet_distill.students.size_search import Sizes
from espnet_distill.utils.files import write_csv
from espnet_distill.utils.markdown import aligned

TEACHERS = ("fastspeech2", "conformer_fastspeech2", "fastspeech", "tacotron2")
TEACHERS += ("transformer",)
REPEATS = {"tacotron2": 1, "transformer": 1}  # autoregressive: seconds a sentence
PRESSURES = (0.1, 0.3, 0.5, 0.8, 0.95)
COLUMNS = ("teacher", "pressure", "params", "error", "rtf", "speed_ratio", "sizes")


def rows_of(name: str) -> list[dict]:
    """Return a row for the teacher itself, pressure 0, and one for each pressure."""
    training = training_config(name)
    kind, conf = tts_choices.get_class(training["tts"]), training["tts_conf"]
    sizes = Sizes(kind, TOKENS, MELS, conf)
    rows = []
    for pressure in (0.0, *PRESSURES):
        target = (1 - pressure) * sizes.parameters
        chosen = sizes.shapes(round(target))[0].sizes if pressure else {}
        measured = cost(kind(TOKENS, MELS, **(conf | chosen)), REPEATS.get(name, 5))
        changed = {key: n for key, n in chosen.items() if n != sizes.conf[key]}
        rows.append(
            {
                "teacher": name,
                "pressure": pressure,
                "params": measured.parameters,
                "error": measured.parameters / target - 1,
                "rtf": measured.seconds * FRAMES_A_SECOND,
                "sizes": " ".join(f"{key}={n}" for key, n in changed.items()),
            }
        )
    return [row | {"speed_ratio": rows[0]["rtf"] / row["rtf"]} for row in rows]


def to_markdown(rows: list[dict]) -> str:
    """Return the rows as a Markdown table."""
    columns = {
        "": [row["teacher"] for row in rows],
        "Pressure": [f"{row['pressure']:.2f}" for row in rows],
        "Parameters": [f"{row['params']:,}" for row in rows],
        "Error (%)": [f"{100 * row['error']:+.1f}" for row in rows],
        "RTF": [f"{row['rtf']:.4f}" for row in rows],
        "Faster": [f"{row['speed_ratio']:.1f} ×" for row in rows],
        "Sizes": [row["sizes"] for row in rows],
    }
    return aligned(columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="FastSpeech2 only")
    parser.add_argument(
        "--json", action="store_true", help="print the errors as one object"
    )
    parser.add_argument("--csv", type=Path, help="also write one line a student")
    args = parser.parse_args()
    names = TEACHERS[:1] if args.quick else TEACHERS
    rows = [row for name in tqdm(names) for row in rows_of(name)]
    if args.csv:
        digits = {"error": 4, "rtf": 5, "speed_ratio": 2}
        lines = [
            [round(row[k], digits[k]) if k in digits else row[k] for k in COLUMNS]
            for row in rows
        ]
        write_csv(args.csv, COLUMNS, lines)
    if args.json:
        errors = {f"{r['teacher']} {r['pressure']}": round(r["error"], 4) for r in rows}
        json.dump(errors, sys.stdout)
        print()
    else:
        print(to_markdown(rows))


if __name__ == "__main__":
    main()
