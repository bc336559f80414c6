"""Print the checksums of a result's inputs, one per line, for shell scripts.

A recipe stores the lines beside the result, and recomputes it when they differ.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from espnet_distill.errors import ConfigError, error_lines
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.checksums import (
    checksum,
    checksum_of,
    checksum_of_listed,
    checksum_of_words,
)


def _file(path: str) -> str:
    return checksum(path) if Path(path).is_file() else "none"


def _listed(path: str) -> str:
    return checksum_of_listed(path) if Path(path).is_file() else "none"


def _vocoder(path: str) -> str:
    from espnet_distill.vocoders.checkpoint_formats import files_of

    return checksum_of(map(checksum, files_of(path))) if Path(path).is_file() else path


def _keys(path: str, keys: str) -> str:
    import yaml

    from espnet_distill.utils.files import read_yaml

    conf = read_yaml(Path(path)) or {}
    return checksum_of([yaml.safe_dump([conf.get(key) for key in keys.split(",")])])


KINDS: dict[str, tuple[Callable[..., str], tuple[str, ...], str]] = {
    "file": (_file, ("PATH",), "a file, which may be missing"),
    "listed": (_listed, ("PATH",), "a table of files, with their contents"),
    "vocoder": (_vocoder, ("PATH",), "a vocoder's checkpoint, settings and statistics"),
    "words": (checksum_of_words, ("WORDS",), "options, with the files that they name"),
    "keys": (_keys, ("YAML", "KEY,KEY"), "some keys of a YAML file"),
}


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--experiment", metavar="PTH", type=Path, help="a checkpoint, with config.yaml")
    for kind, (_, arguments, description) in KINDS.items():
        names = ("NAME", *arguments)
        add(
            f"--{kind}",
            nargs=len(names),
            metavar=names,
            action="append",
            default=[],
            help=description,
        )
    return parser


def describe(args: argparse.Namespace) -> dict[str, str]:
    """Return a checksum for each name in the arguments."""
    checksums = Experiment(args.experiment).identity if args.experiment else {}
    for kind, (compute, _, _) in KINDS.items():
        checksums |= {name: compute(*values) for name, *values in getattr(args, kind)}
    return checksums


def main(cmd: list[str] | None = None) -> int:
    args = get_parser().parse_args(cmd)
    try:
        for name, value in describe(args).items():
            print(f"{name}: {value}")
    except (ConfigError, OSError) as error:
        for fault in error_lines(error):
            print(f"made_from: error: {fault}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
