"""``espnet-distill COMMAND``: the table of commands.

A command is a module with ``add_arguments(parser)`` and ``main(args)``, imported
when it is asked for; it imports torch and ESPnet inside ``main``.
"""

import argparse
import sys
from importlib import import_module, metadata

from espnet_distill.errors import ConfigError, error_lines, report_interrupt

COMMANDS = {
    "init": ("add a distillation to a recipe that exists", "espnet_distill.cli.init"),
    "check": ("find what would stop a distillation", "espnet_distill.cli.check"),
    "list-clips": (
        "list a corpus's recordings and texts as a data folder",
        "espnet_distill.cli.list_clips",
    ),
    "derive": (
        "cut a student's initial weights out of its teacher",
        "espnet_distill.cli.derive",
    ),
    "prune": (
        "take units out of a trained model, in one go",
        "espnet_distill.cli.prune",
    ),
    "compact": (
        "take out of an experiment what pruning has masked",
        "espnet_distill.cli.compact",
    ),
    "extract-vocoder": (
        "take a distilled vocoder out of its training",
        "espnet_distill.cli.extract_vocoder",
    ),
    "evaluate": ("measure experiments side by side", "espnet_distill.cli.evaluate"),
    "report": (
        "show an evaluation as a page to look at and listen to",
        "espnet_distill.cli.report",
    ),
    "bench": (
        "measure what experiments cost: size, operations, speed, memory",
        "espnet_distill.cli.bench",
    ),
    "summarize-seeds": (
        "sum up an evaluation of settings with several seeds",
        "espnet_distill.cli.summarize_seeds",
    ),
    "unpack": (
        "make a packed model or a tag an experiment",
        "espnet_distill.cli.unpack",
    ),
    "teacher-config": (
        "print what a teacher's data were made with, for a shell",
        "espnet_distill.cli.teacher_config",
    ),
    "inherit": (
        "give data the tokens, statistics or speaker ids of a teacher",
        "espnet_distill.cli.inherit",
    ),
    "find-model": (
        "print the checkpoint of an experiment",
        "espnet_distill.cli.find_model",
    ),
    "attention-durations": (
        "take durations from a teacher's attention",
        "espnet_distill.cli.attention_durations",
    ),
    "check-text": (
        "find what is wrong with texts before synthesis",
        "espnet_distill.cli.check_text",
    ),
    "pseudo-label": (
        "make data of what a teacher has read aloud",
        "espnet_distill.cli.pseudo_label",
    ),
    "template": (
        "print where the scripts that recipes share are",
        "espnet_distill.cli.template",
    ),
    "espnet-root": (
        "print where ESPnet's recipes are",
        "espnet_distill.cli.espnet_root",
    ),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    It is 2 for input that cannot work and 130 after an interrupt.
    """
    chosen = _parser().parse_args(argv)
    help_line, module = COMMANDS[chosen.command]
    parser = argparse.ArgumentParser(
        prog=f"espnet-distill {chosen.command}", description=help_line
    )
    try:
        command = import_module(module)
        command.add_arguments(parser)
        return command.main(parser.parse_args(chosen.arguments)) or 0
    except (ConfigError, OSError) as error:
        for fault in error_lines(error):
            print(f"{parser.prog}: error: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return report_interrupt(parser.prog)


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    parser = argparse.ArgumentParser(
        prog="espnet-distill",
        usage="%(prog)s [-h] [--version] COMMAND ...",
        description="Make a trained ESPnet TTS model small and fast.",
        epilog="commands:\n"
        + "\n".join(f"  {name:{width}}  {line}" for name, (line, _) in COMMANDS.items())
        + "\n\nespnet-distill COMMAND --help describes one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.add_argument(
        "command", metavar="COMMAND", choices=COMMANDS, help="one of those below"
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser, namespace, values, option_string=None):
        print(f"espnet_distill {metadata.version('espnet_distill')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
