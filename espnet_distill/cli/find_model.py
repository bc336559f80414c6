"""`espnet-distill find-model`: which checkpoint an experiment folder stands for."""

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.recipes.shell_values import require_plain


def add_arguments(parser) -> None:
    parser.add_argument(
        "experiment", help="an ESPnet experiment folder, or a .pth in one"
    )


def main(args) -> None:
    """Print its path, if a shell takes it for nothing else."""
    checkpoint = Experiment(args.experiment).checkpoint
    print(require_plain(str(checkpoint), "checkpoint"))
