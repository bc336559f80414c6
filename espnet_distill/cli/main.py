"""``espnet-distill COMMAND``: the table of commands.

A command is a module with ``add_arguments(parser)`` and ``main(args)``, imported
on demand; it imports torch and ESPnet inside ``main``.
"""

import argparse
import sys
from importlib import import_module, metadata

from espnet_distill.errors import ConfigError, error_lines, report_interrupt

COMMANDS = {
    "init": ("add distillation to an existing recipe", "espnet_distill.cli.init"),
    "new-recipe": (
        "write a recipe for a corpus of one speaker",
        "espnet_distill.cli.new_recipe",
    ),
    "check": (
        "check a training configuration without training",
        "espnet_distill.cli.check",
    ),
    "list-clips": (
        "list a corpus's recordings and texts as a data folder",
        "espnet_distill.cli.list_clips",
    ),
    "derive": (
        "initialize a student from its teacher's weights",
        "espnet_distill.cli.derive",
    ),
    "prune": (
        "prune a trained model without training",
        "espnet_distill.cli.prune",
    ),
    "compact": (
        "remove the masked structure of a pruned experiment",
        "espnet_distill.cli.compact",
    ),
    "extract-text2mel": (
        "extract the text-to-mel part of a joint_text2wav",
        "espnet_distill.cli.extract_text2mel",
    ),
    "extract-vocoder": (
        "extract a vocoder from its training, or from a joint_text2wav",
        "espnet_distill.cli.extract_vocoder",
    ),
    "export": (
        "export a model and a vocoder as a voice for ONNX runtimes",
        "espnet_distill.cli.export",
    ),
    "evaluate": ("measure experiments side by side", "espnet_distill.cli.evaluate"),
    "report": (
        "render an evaluation as an HTML page with audio",
        "espnet_distill.cli.report",
    ),
    "synthesize": (
        "synthesize text with an exported voice",
        "espnet_distill.cli.synthesize",
    ),
    "bench": (
        "measure size, operations, speed and memory",
        "espnet_distill.cli.bench",
    ),
    "summarize-seeds": (
        "summarize an evaluation of several seeds",
        "espnet_distill.cli.summarize_seeds",
    ),
    "summarize-blind": (
        "summarize the answers of a blind comparison",
        "espnet_distill.cli.summarize_blind",
    ),
    "unpack": (
        "unpack a packed model or a tag into an experiment folder",
        "espnet_distill.cli.unpack",
    ),
    "import-piper": (
        "make an experiment of a Piper voice",
        "espnet_distill.cli.import_piper",
    ),
    "replace-decoder": (
        "put a small vocoder into a VITS or JETS",
        "espnet_distill.cli.replace_decoder",
    ),
    "teacher-config": (
        "print the data settings of a teacher, for a shell",
        "espnet_distill.cli.teacher_config",
    ),
    "inherit": (
        "copy a teacher's tokens, statistics or speaker ids to data",
        "espnet_distill.cli.inherit",
    ),
    "recipe-step": (
        "compute a step of distill.sh",
        "espnet_distill.cli.recipe_step",
    ),
    "attention-durations": (
        "extract durations from a teacher's attention",
        "espnet_distill.cli.attention_durations",
    ),
    "check-text": (
        "check texts before synthesis",
        "espnet_distill.cli.check_text",
    ),
    "prepare-text": (
        "normalize the text of data folders, and phonemize it",
        "espnet_distill.cli.prepare_text",
    ),
    "select-text": (
        "select sentences that cover a language's sounds",
        "espnet_distill.cli.select_text",
    ),
    "pseudo-label": (
        "make training data of a teacher's synthesis",
        "espnet_distill.cli.pseudo_label",
    ),
    "template": (
        "print the folder of the recipes' shared scripts",
        "espnet_distill.cli.template",
    ),
    "espnet-root": (
        "print the folder of ESPnet's recipes",
        "espnet_distill.cli.espnet_root",
    ),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    The status is 2 for invalid input and 130 after an interrupt.
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
        "command",
        metavar="COMMAND",
        choices=COMMANDS,
        help="a command of the list below",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


class _Version(argparse.Action):
    """Look up the version on demand."""

    def __call__(self, parser, namespace, values, option_string=None):
        print(f"espnet_distill {metadata.version('espnet_distill')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
