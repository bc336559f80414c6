"""Complete a teacher's dump: check it, and write its index and manifest.

`teachers/dumped.py` describes the folder.
"""

import argparse
from pathlib import Path

from espnet_distill.experiments.config import read_config
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.teachers.dump_writer import BEGUN, TapFiles
from espnet_distill.teachers.dumped import MANIFEST, folder_name
from espnet_distill.utils.files import read_table, read_text, write_text
from espnet_distill.utils.locking import locked


def finish(folder: Path, taps: tuple[str, ...], text: Path) -> None:
    """Write index, text and, last, the manifest of one teacher's dump.

    Raises:
        ConfigError: Utterances of `text` are not dumped (the message names ten), or
            another process is finishing the dump.
    """
    with locked(folder):
        TapFiles(folder, taps).write_index(list(read_table(text)))
        write_text(folder / "text", read_text(text))
        write_text(folder / MANIFEST, read_text(folder / BEGUN))


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--config", type=Path, required=True, help="the configuration of the jobs"
    )
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True, help="the transcriptions")
    return parser


def main(cmd=None) -> None:
    args = get_parser().parse_args(cmd)
    options = DistillOptions.of(argparse.Namespace(**read_config(args.config)))
    for index in range(len(options.teachers)):
        finish(args.output_dir / folder_name(index), options.targets(), args.text)


if __name__ == "__main__":
    main()
