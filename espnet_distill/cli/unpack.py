"""``espnet-distill unpack``: make an experiment folder of a packed model or a tag."""

from pathlib import Path

from espnet_distill.experiments.archive import unpack


def add_arguments(parser) -> None:
    parser.add_argument(
        "model", type=Path, help="a .zip that espnet2.bin.pack made, or hub:owner/name"
    )
    parser.add_argument("out", type=Path, help="the folder to make")


def main(args) -> None:
    from espnet_distill.experiments.experiment import adopt

    if args.model.suffix == ".zip":
        print(unpack(args.model, args.out))
    else:
        print(adopt(str(args.model), args.out))
