"""See that a teacher's dump is whole, and write what a training reads of it.

`teachers/dumped.py` describes the folder.
"""

import argparse
from pathlib import Path

from espnet_distill.experiments.experiment import read_config
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.teachers.dump_writer import BEGUN, TapFiles
from espnet_distill.teachers.dumped import MANIFEST, folder_name
from espnet_distill.utils.files import read_table, read_text, write_text
from espnet_distill.utils.locking import locked


def finish(folder: Path, taps: tuple[str, ...], text: Path) -> None:
    """Write index, text and, last, the manifest of one teacher's dump.

    Raises:
        ConfigError: Utterances of `text` have not been dumped; the first ten are named.
            Or another process finishes it.
    """
    with locked(folder):
        TapFiles(folder, taps).write_index(list(read_table(text)))
        write_text(folder / "text", read_text(text))
        write_text(folder / MANIFEST, read_text(folder / BEGUN))


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True, help="as the jobs had it")
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True, help="the transcriptions")
    return parser


def main(cmd=None) -> None:
    args = get_parser().parse_args(cmd)
    wanted = DistillOptions.of(argparse.Namespace(**read_config(args.config)))
    for index in range(len(wanted.teachers)):
        finish(args.output_dir / folder_name(index), wanted.targets(), args.text)


if __name__ == "__main__":
    main()
