"""Tabulate validation losses of trainings over batches, from their checkpoints.

`benchmarks/curves.py exp/ablation/alone_seed1 … --csv results/curves.csv`
"""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import write_csv
from espnet_distill.utils.markdown import aligned


def curve(experiment: Path, measure: str) -> dict[int, float]:
    """Return a training's validation measure by the number of training batches."""
    path = experiment / "checkpoint.pth"
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        epochs = checkpoint["reporter"]["stats"].values()
        return {
            epoch["train"]["total_count"]: epoch["valid"][measure] for epoch in epochs
        }
    except Exception as error:  # I/O, zip, pickle or missing keys
        raise ConfigError(f"{path}: no {measure} to be had ({error!r})") from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", metavar="EXP", nargs="+", type=Path)
    parser.add_argument("--measure", default="l1_loss", help="default: %(default)s")
    parser.add_argument("--csv", type=Path, help="also write one line a validation")
    args = parser.parse_args()
    try:
        curves = {
            experiment.name: curve(experiment, args.measure)
            for experiment in tqdm(args.experiments, disable=None)
        }
    except ConfigError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    if args.csv:
        lines = (
            (name, steps, f"{value:.4f}")
            for name, points in curves.items()
            for steps, value in points.items()
        )
        write_csv(args.csv, ("run", "steps", args.measure), lines)
    steps = sorted({step for points in curves.values() for step in points})
    columns: dict[str, list] = {"": list(curves)}
    for step in steps:
        values = [points.get(step) for points in curves.values()]
        columns[f"{step:,}"] = [None if v is None else f"{v:.3f}" for v in values]
    print(aligned(columns))


if __name__ == "__main__":
    main()
