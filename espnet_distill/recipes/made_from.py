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


def checksum_of_file(path: str | Path) -> str:
    """Return the SHA-256 of a file; ``none`` if there is no such file."""
    return checksum(path) if Path(path).is_file() else "none"


def checksum_of_table(path: str | Path) -> str:
    """Return a checksum of a table and the files that it lists; ``none`` without it."""
    return checksum_of_listed(path) if Path(path).is_file() else "none"


def checksum_of_vocoder(path: str) -> str:
    """Return a checksum of a vocoder's files; a path that is no file is returned."""
    from espnet_distill.vocoders.checkpoint_formats import files_of

    return checksum_of(map(checksum, files_of(path))) if Path(path).is_file() else path


def checksum_of_keys(path: str | Path, keys: str) -> str:
    """Return a checksum of some keys of a YAML file, which are joined by commas."""
    import yaml

    from espnet_distill.utils.files import read_yaml

    conf = read_yaml(Path(path)) or {}
    return checksum_of([yaml.safe_dump([conf.get(key) for key in keys.split(",")])])


KINDS: dict[str, tuple[Callable[..., str], tuple[str, ...], str]] = {
    "file": (checksum_of_file, ("PATH",), "a file, which may be missing"),
    "listed": (checksum_of_table, ("PATH",), "a table of files, with their contents"),
    "vocoder": (
        checksum_of_vocoder,
        ("PATH",),
        "a vocoder's checkpoint, settings and statistics",
    ),
    "words": (checksum_of_words, ("WORDS",), "options, with the files that they name"),
    "keys": (checksum_of_keys, ("YAML", "KEY,KEY"), "some keys of a YAML file"),
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
