"""``espnet-distill prune``: prune a trained model without training."""

import argparse
from pathlib import Path

from espnet_distill.cli.compact import add_data, save_and_report
from espnet_distill.pruning.post_training.prune import ALLOCATIONS, prune
from espnet_distill.utils.files import require_new


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("experiment", metavar="EXP", help="experiment folder, .pth, .zip or tag")
    add("out", metavar="OUT", type=Path, help="a new folder")
    add(
        "--pressure",
        metavar="P",
        type=float,
        required=True,
        help="share of the parameters to take away, from 0 to below 1",
    )
    add(
        "--allocate-by",
        choices=ALLOCATIONS,
        default="params",
        help="take from all widths alike (params), or more from those whose "
        "parameters cost most time here (latency); default: %(default)s",
    )
    add(
        "--merge",
        action="store_true",
        help="fold what is taken away into what stays, where that can be",
    )
    add(
        "--low-rank",
        action="store_true",
        help="take no units: make of a layer two of low rank, wherever that loses least",
    )
    add_data(
        parser,
        "say which units matter, what stands in for those taken away, and how far the "
        "outputs change; else the weights say it",
    )


def main(args: argparse.Namespace) -> None:
    """Write OUT and print the report."""
    require_new(args.out)
    pruned = prune(
        args.experiment,
        pressure=args.pressure,
        allocate_by=args.allocate_by,
        merge=args.merge,
        low_rank=args.low_rank,
        data=args.data,
        durations=args.durations,
    )
    save_and_report(pruned, args)
