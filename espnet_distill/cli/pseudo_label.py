"""``espnet-distill pseudo-label``: make training data of a teacher's synthesis."""

from pathlib import Path

from espnet_distill.data.pseudo_labels import gather


def add_arguments(parser) -> None:
    parser.add_argument(
        "decoded", type=Path, help="decode folder of a set that the teacher synthesized"
    )
    parser.add_argument("source", type=Path, help="the data folder of that set")
    parser.add_argument("out", type=Path)
    parser.add_argument("--n-shift", type=int, required=True)


def main(args) -> None:
    print(gather(args.decoded, args.source, args.out, args.n_shift))
