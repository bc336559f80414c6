"""`python3 -m espnet_distill -m MODULE ARGS…` or `… SCRIPT ARGS…`.

Runs any ESPnet program with the plugin registered. As the value of `tts.sh --python`,
it runs every stage with the plugin.
"""

import importlib.util
import os
import runpy
import sys
from typing import NoReturn

from espnet_distill.errors import (
    ConfigError,
    error_lines,
    is_full_disk,
    report_interrupt,
)
from espnet_distill.plugin import register_when_imported

# ESPnet's scripts that extract speaker embeddings, and the toolkit that the plugin adds.
EXTRACTORS = ("extract_spk_embed.py", "extract_spk_embed_parallel.py")
TOOLKIT = ["--toolkit", "resemblyzer"]
USAGE = "usage: python3 -m espnet_distill (-m MODULE | SCRIPT) [ARGS...]"


def run(arguments: list[str]) -> None:
    """Run a module or script as `python3` would.

    Args:
        arguments: `-m MODULE ARGS…` or `SCRIPT ARGS…`.

    Raises:
        ConfigError: There is no such module or script.
    """
    if _is_extraction_by_plugin(arguments):
        arguments = ["-m", "espnet_distill.bin.extract_speakers", *arguments[1:]]
    as_module = arguments[0] == "-m"
    sys.argv = arguments[as_module:]
    program = sys.argv[0]
    if not (_is_module(program) if as_module else os.path.exists(program)):
        kind = "module" if as_module else "script"
        raise ConfigError(f"{program}: no such {kind}; {USAGE}")
    register_when_imported()
    if as_module:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        if not sys.flags.safe_path:
            sys.path[0] = os.path.dirname(os.path.realpath(program))
        runpy.run_path(program, run_name="__main__")


def _is_extraction_by_plugin(arguments: list[str]) -> bool:
    pairs = zip(arguments, arguments[1:])
    return os.path.basename(arguments[0]) in EXTRACTORS and tuple(TOOLKIT) in pairs


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise  # the package exists, and one of its own imports is missing
        return False


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE, __doc__, sep="\n\n", end="")
        return
    runnable = arguments[1:] if arguments[:1] == ["-m"] else arguments
    if not runnable or runnable[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    try:
        run(arguments)
    except ConfigError as error:
        _exit_with(error)
    except OSError as error:
        if not is_full_disk(error):
            raise
        _exit_with(error)
    except KeyboardInterrupt:
        sys.exit(report_interrupt("espnet_distill"))


def _exit_with(error: ConfigError | OSError) -> NoReturn:
    for line in error_lines(error):
        print(f"espnet_distill: error: {line}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
