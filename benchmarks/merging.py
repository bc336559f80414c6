"""What merging and low rank save of a FastSpeech2, before any training.

Run in the recipe's folder: `benchmarks/merging.py EXP --heard dump/raw/train
--heard-durations exp/alignment/train/durations --data dump/raw/dev --durations
exp/alignment/dev/durations`. Feed-forward units go by magnitude, or each of their
weights is factorised to as many parameters. Mel L1 is that between the model and what
is left of it, with the recordings' durations, pitch and energy; loss is the model's.
"""

import argparse
import copy
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm

import espnet_distill
from espnet_distill.data.calibration import calibration_losses
from espnet_distill.experiments.experiment import find_experiment, load_experiment
from espnet_distill.structure.groups import Group, find_groups
from espnet_distill.structure.low_rank import factorise
from espnet_distill.structure.slicing import mask_groups
from espnet_distill.structure.statistics.importance import magnitude
from espnet_distill.structure.statistics.second_moments import second_moments
from espnet_distill.structure.unit_merging import merge_groups
from espnet_distill.students.find_groups import outputs_of
from espnet_distill.utils.files import write_csv
from espnet_distill.utils.markdown import aligned

SHARES = (0.3, 0.5, 0.7)
COLUMNS = ("gone", "how", "mel_l1", "loss")


class Bench:
    """A model, what it is measured on and what may be heard."""

    def __init__(self, args: argparse.Namespace):
        self.model, self._names = load_experiment(*find_experiment(args.experiment))
        self._args = args
        self._before = copy.deepcopy(self.model.tts.state_dict())
        self._mels, self.loss = self._run()

    def heard(self) -> Iterator[torch.Tensor]:
        """Yield losses on what may be heard."""
        args = self._args
        return calibration_losses(
            args.heard, args.heard_durations, self.model, self._names
        )

    def measure(self, state: dict) -> tuple[float, float]:
        """Return mel L1 to the model, and the loss, of other weights."""
        self.model.tts.load_state_dict(state)
        mels, loss = self._run()
        self.model.tts.load_state_dict(self._before)
        return (mels - self._mels).abs().mean().item(), loss

    def _run(self) -> tuple[torch.Tensor, float]:
        mels = []

        def keep(_, args, kwargs):
            mels.append(kwargs["before_outs"].detach().clone().flatten())

        hook = self.model.tts.criterion.register_forward_pre_hook(
            keep, with_kwargs=True
        )
        args = self._args
        with torch.no_grad():
            drawn = calibration_losses(
                args.data, args.durations, self.model, self._names
            )
            losses = [loss.item() for loss in drawn]
        hook.remove()
        return torch.cat(mels), sum(losses) / len(losses)


def states(bench: Bench, groups: list[Group], run) -> Iterator[tuple]:
    """Yield share gone, way and weights."""
    tts = bench.model.tts
    whole = copy.deepcopy(tts.state_dict())
    weights = {axis.parameter for group in groups for axis in group.axes}
    weights = {name for name in weights if name.endswith(".weight")}
    moments = second_moments(tts, bench.heard(), weights)
    for gone in SHARES:
        kept = []
        for group in groups:
            number = round((1 - gone) * group.size)
            units = magnitude(group, whole).topk(number).indices.sort().values
            kept.append((group, units))
        yield gone, "removed", mask_groups(whole, kept)
        yield gone, "Neuron Merging", merge_groups(tts, kept, run)[0]
        merged, _ = merge_groups(tts, kept, run, bench.heard())
        yield gone, "least squares", merged
        for how, known in (("plain low rank", {}), ("whitened low rank", moments)):
            low = {name: _low(whole[name], known.get(name), gone) for name in weights}
            yield gone, how, whole | low


def _low(weight: torch.Tensor, moments, gone: float) -> torch.Tensor:
    outputs, inputs = weight.numel() // weight.size(1), weight.size(1)
    rank = round((1 - gone) * weight.numel() / (outputs + inputs))
    return factorise(weight, moments, rank=rank).bake()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", metavar="EXP", type=Path)
    for option in ("--heard", "--heard-durations", "--data", "--durations"):
        parser.add_argument(option, type=Path, required=True)
    parser.add_argument("--csv", type=Path, help="also write a line a state")
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
    rows = [(0.0, "whole", 0.0, bench.loss)]
    for gone, how, state in tqdm(states(bench, groups, run), disable=None):
        rows.append((gone, how, *bench.measure(state)))
        print(rows[-1], flush=True)
    if args.csv:
        lines = ((*row[:2], f"{row[2]:.4f}", f"{row[3]:.4f}") for row in rows)
        write_csv(args.csv, COLUMNS, lines)
    columns = {
        "Units gone": [f"{row[0]:.0%}" for row in rows],
        "How": [row[1] for row in rows],
        "Mel L1": [f"{row[2]:.3f}" for row in rows],
        "Loss": [f"{row[3]:.3f}" for row in rows],
    }
    print(aligned(columns))


if __name__ == "__main__":
    main()
