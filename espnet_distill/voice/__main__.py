"""``espnet-distill-voice``: the command line of the runtime alone."""

import argparse
import sys

from . import synthesize
from .errors import ConfigError, error_lines, report_interrupt

COMMANDS = {"synthesize": (synthesize, "synthesize text with an exported voice")}


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="espnet-distill-voice",
        description="Synthesize text with voices that espnet-distill exported.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, line) in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=line, description=line))
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    The status is 2 for invalid input and 130 after an interrupt.
    """
    parser = get_parser()
    args = parser.parse_args(argv)
    module, _ = COMMANDS[args.command]
    program = f"{parser.prog} {args.command}"
    try:
        return module.main(args) or 0
    except (ConfigError, OSError) as error:
        for fault in error_lines(error):
            print(f"{program}: error: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return report_interrupt(program)


if __name__ == "__main__":
    sys.exit(main())
