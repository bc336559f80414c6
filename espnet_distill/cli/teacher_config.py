"""``espnet-distill teacher-config``: print a teacher's data settings for a shell."""

import shlex

from espnet_distill.recipes.teacher_settings import OPTIONS, require_settings


def add_arguments(parser) -> None:
    parser.add_argument("teacher", help="an ESPnet experiment folder, or a .pth in one")
    for name in OPTIONS:
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            default="",
            metavar="VALUE",
            help="as it has to be",
        )


def main(args) -> None:
    """Print an assignment a line: what was given, else what the teacher has."""
    given = {name: getattr(args, name) for name in OPTIONS if getattr(args, name)}
    of_teacher = require_settings(given, args.teacher)
    for name, value in (of_teacher | given).items():
        print(f"{name}={shlex.quote(value)}")
