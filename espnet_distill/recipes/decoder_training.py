"""Write the training configuration of the vocoder that replaces a VITS's decoder.

``replace_decoder.sh`` runs it.
"""

import argparse
import sys
from pathlib import Path

from espnet_distill.errors import ConfigError, error_lines
from espnet_distill.recipes.student_training import read_conf, write_conf


def write_decoder_config(config: Path, preset: Path, latents: Path, out: Path) -> None:
    """Merge a training configuration and a preset by key, for a dump of latents.

    Raises:
        ConfigError: A file cannot be read, or is no configuration.
    """
    conf = read_conf(config) | read_conf(preset) | {"teacher_dump": str(latents)}
    write_conf(out, {key: value for key, value in conf.items() if key != "text2mel"})


def main(cmd: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("config", "preset", "latents", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    try:
        write_decoder_config(**vars(parser.parse_args(cmd)))
    except ConfigError as error:
        for line in error_lines(error):
            print(f"replace_decoder.sh: error: {line}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
