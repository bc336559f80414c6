"""`espnet-distill find-model`: which checkpoint an experiment folder stands for."""

from pathlib import Path

from espnet_distill.teachers.checkpoint import find_experiment


def add_arguments(parser) -> None:
    parser.add_argument("experiment", type=Path, help="an ESPnet experiment folder")


def main(args) -> None:
    _, checkpoint = find_experiment(args.experiment)
    print(checkpoint)
