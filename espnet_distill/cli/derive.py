"""``espnet-distill derive``: initialize a student from its teacher's weights."""

import argparse
from pathlib import Path

from espnet_distill.utils.files import require_new

# As in students.derive, which imports torch.
ALLOCATIONS = ("params", "macs", "latency")
IMPORTANCES = ("magnitude", "wanda", "taylor", "random")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("teacher", metavar="TEACHER", help="experiment folder, .pth, .zip or tag")
    add("out", metavar="OUT", type=Path, help="new folder")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument(
        "--pressure",
        metavar="P",
        type=float,
        help="share of the teacher's parameters to remove, from 0 to below 1",
    )
    size.add_argument(
        "--budget-params",
        metavar="N",
        type=int,
        help="parameters of the student",
    )
    size.add_argument(
        "--budget-rtf",
        metavar="F",
        type=float,
        help="real-time factor, text to mel, on one thread of this machine",
    )
    size.add_argument(
        "--student-config",
        metavar="FILE",
        type=Path,
        help="training configuration of a student of the teacher's class",
    )
    add(
        "--allocate-by",
        choices=ALLOCATIONS,
        default="params",
        help="among shapes of the target size: the most similar to the teacher "
        "(params), that of fewest MACs (macs) or the fastest on this machine "
        "(latency); default: %(default)s",
    )
    add(
        "--keep",
        metavar="KEY",
        nargs="+",
        default=[],
        help="sizes that keep the teacher's value; depth and width stand for all "
        "depths and widths",
    )
    add(
        "--floor",
        metavar="KEY=N",
        nargs="+",
        default=[],
        type=_floor,
        help="least value of a size",
    )
    add(
        "--importance",
        choices=IMPORTANCES,
        default="magnitude",
        help="importance criterion of the units; default: %(default)s",
    )
    add(
        "--data",
        metavar="DIR",
        type=Path,
        help="ESPnet data folder (text, wav.scp) whose first utterances are the "
        "calibration data of wanda and taylor",
    )
    add("--durations", metavar="FILE", type=Path, help="frames per token of --data")
    add(
        "--speaker",
        metavar="NAME",
        help="make a student of this one speaker of the teacher",
    )


def main(args: argparse.Namespace) -> None:
    """Write OUT and print teacher and student."""
    from espnet_distill.students.derive import derive, describe

    require_new(args.out)
    student = derive(
        args.teacher,
        pressure=args.pressure,
        parameters=args.budget_params,
        rtf=args.budget_rtf,
        student_config=args.student_config,
        allocate_by=args.allocate_by,
        keep=args.keep,
        floor=dict(args.floor),
        importance=args.importance,
        data=args.data,
        durations=args.durations,
        speaker=args.speaker,
    )
    student.save(args.out)
    print(describe(student))


def _floor(value: str) -> tuple[str, int]:
    key, _, least = value.partition("=")
    if not key or not least.isdigit():
        raise argparse.ArgumentTypeError(f"{value!r} is not KEY=N")
    return key, int(least)
