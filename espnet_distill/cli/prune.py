"""``espnet-distill prune``: prune a trained model without training."""

import argparse
from pathlib import Path

from espnet_distill.cli.pruned import add_data, save_and_report
from espnet_distill.pruning.post_training.prune import ALLOCATIONS, prune
from espnet_distill.utils.files import require_new


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("experiment", metavar="EXP", help="experiment folder, .pth, .zip or tag")
    add("out", metavar="OUT", type=Path, help="new folder")
    add(
        "--pressure",
        metavar="P",
        type=float,
        required=True,
        help="share of the parameters to remove, above 0 and below 1",
    )
    add(
        "--allocate-by",
        choices=ALLOCATIONS,
        default="params",
        help="prune all widths by one factor (params), or widths more whose "
        "parameters take most time on this machine (latency); default: %(default)s",
    )
    add(
        "--merge",
        action="store_true",
        help="merge removed units into kept ones where possible",
    )
    add(
        "--low-rank",
        action="store_true",
        help="factorize layers to low rank instead of removing units",
    )
    add("--speaker", metavar="NAME", help="keep this one of several speakers")
    add_data(
        parser,
        "are the calibration data of importance, merging and factorization, and of "
        "the comparison of the outputs; default: importance by weights alone",
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
        speaker=args.speaker,
    )
    save_and_report(pruned, args)
