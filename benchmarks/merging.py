"""Compare pruning, unit merging and low rank on a FastSpeech2, without training.

Run in the recipe's folder: `benchmarks/merging.py EXP --calibration-data
dump/raw/train --calibration-durations exp/alignment/train/durations --data dump/raw/dev
--durations exp/alignment/dev/durations`. Feed-forward units are pruned by magnitude, or
each of their weights is factorized to the same number of parameters. Mel L1 is between
the outputs of the original and the compressed model, with the recordings' durations,
pitch and energy; loss is the model's.
"""

import argparse
import copy
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm

import espnet_distill
from espnet_distill.data.calibration import read_calibration
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.structure.groups import Group, find_groups
from espnet_distill.structure.low_rank import factorize
from espnet_distill.structure.slicing import mask_groups
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.structure.statistics.importance import magnitude
from espnet_distill.structure.statistics.second_moments import second_moments
from espnet_distill.structure.unit_merging import merge_groups
from espnet_distill.students.find_groups import outputs_of
from espnet_distill.utils.files import write_csv
from espnet_distill.utils.markdown import aligned

PRESSURES = (0.3, 0.5, 0.7)
COLUMNS = ("pressure", "method", "mel_l1", "loss")


class Bench:
    """A model with its evaluation data and calibration data."""

    def __init__(self, args: argparse.Namespace):
        self.experiment = Experiment(args.experiment)
        self.model, self._args = self.experiment.model, args
        self._original_state = copy.deepcopy(self.model.tts.state_dict())
        self._mels, self.loss = self._run()

    def calibration(self) -> Calibration:
        """Return the calibration data."""
        args = self._args
        return read_calibration(
            self.experiment, args.calibration_data, args.calibration_durations
        )

    def measure(self, state: dict) -> tuple[float, float]:
        """Return mel L1 to the original output, and the loss, of other weights."""
        self.model.tts.load_state_dict(state)
        mels, loss = self._run()
        self.model.tts.load_state_dict(self._original_state)
        return (mels - self._mels).abs().mean().item(), loss

    def _run(self) -> tuple[torch.Tensor, float]:
        mels = []

        def record(_, args, kwargs):
            mels.append(kwargs["before_outs"].detach().clone().flatten())

        hook = self.model.tts.criterion.register_forward_pre_hook(
            record, with_kwargs=True
        )
        args = self._args
        with torch.no_grad():
            data = read_calibration(self.experiment, args.data, args.durations)
            losses = [data.loss(batch).item() for batch in data.batches]
        hook.remove()
        return torch.cat(mels), sum(losses) / len(losses)


def states(bench: Bench, groups: list[Group], run) -> Iterator[tuple]:
    """Yield pressure, method and state dict."""
    tts = bench.model.tts
    original = copy.deepcopy(tts.state_dict())
    weights = {axis.parameter for group in groups for axis in group.axes}
    weights = {name for name in weights if name.endswith(".weight")}
    moments = second_moments(tts, bench.calibration(), weights)
    for pressure in PRESSURES:
        kept = []
        for group in groups:
            number = round((1 - pressure) * group.size)
            units = magnitude(group, original).topk(number).indices.sort().values
            kept.append((group, units))
        yield pressure, "removed", mask_groups(original, kept)
        yield pressure, "Neuron Merging", merge_groups(tts, kept, run)[0]
        merged, _ = merge_groups(tts, kept, run, bench.calibration())
        yield pressure, "least squares", merged
        for method, known in (("plain low rank", {}), ("whitened low rank", moments)):
            low_rank = {
                name: _low_rank(original[name], known.get(name), pressure)
                for name in weights
            }
            yield pressure, method, original | low_rank


def _low_rank(weight: torch.Tensor, moments, pressure: float) -> torch.Tensor:
    outputs, inputs = weight.numel() // weight.size(1), weight.size(1)
    rank = round((1 - pressure) * weight.numel() / (outputs + inputs))
    return factorize(weight, moments, rank=rank).bake()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", metavar="EXP", type=Path)
    for option in ("calibration-data", "calibration-durations", "data", "durations"):
        parser.add_argument(f"--{option}", type=Path, required=True)
    parser.add_argument("--csv", type=Path, help="also write one line per state")
    args = parser.parse_args()
    espnet_distill.register()
    bench = Bench(args)
    traced = copy.deepcopy(bench.model.tts)
    groups = [
        group
        for group in find_groups(traced, outputs_of(traced))
        if "feed_forward" in group.axes[0].parameter
    ]
    run = outputs_of(bench.model.tts)
    rows = [(0.0, "unpruned", 0.0, bench.loss)]
    for pressure, method, state in tqdm(states(bench, groups, run), disable=None):
        rows.append((pressure, method, *bench.measure(state)))
        print(rows[-1], flush=True)
    if args.csv:
        lines = ((*row[:2], f"{row[2]:.4f}", f"{row[3]:.4f}") for row in rows)
        write_csv(args.csv, COLUMNS, lines)
    columns = {
        "Units pruned": [f"{row[0]:.0%}" for row in rows],
        "Method": [row[1] for row in rows],
        "Mel L1": [f"{row[2]:.3f}" for row in rows],
        "Loss": [f"{row[3]:.3f}" for row in rows],
    }
    print(aligned(columns))


if __name__ == "__main__":
    main()
