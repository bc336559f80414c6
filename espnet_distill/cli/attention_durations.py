"""``espnet-distill attention-durations``: durations from a teacher's attention."""

from pathlib import Path

from espnet_distill.data.attention_durations import (
    LEAST_FOCUS_RATE,
    least_focus_rate,
    select,
)


def add_arguments(parser) -> None:
    parser.add_argument("teacher", help="an autoregressive teacher's experiment")
    parser.add_argument("decoded", type=Path, help="a set decoded with teacher forcing")
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--least-focus-rate",
        type=float,
        help="default: "
        + ", ".join(f"{value} for {key}" for key, value in LEAST_FOCUS_RATE.items()),
    )


def main(args) -> None:
    least = args.least_focus_rate
    if least is None:
        least = least_focus_rate(args.teacher)
    print(select(args.decoded, args.out, least))
