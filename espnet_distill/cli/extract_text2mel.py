"""``espnet-distill extract-text2mel``: the text-to-mel part of a JointText2Wav."""

import argparse
from pathlib import Path

from espnet_distill.utils.files import require_new


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add(
        "experiment",
        metavar="EXP",
        help="experiment folder, .pth, .zip or tag of a joint_text2wav",
    )
    add("out", metavar="OUT", type=Path, help="new folder")


def main(args: argparse.Namespace) -> None:
    """Write OUT and print what it is."""
    require_new(args.out)
    from espnet_distill.profiling.macs import parameters
    from espnet_distill.students.text2mel_part import extract_text2mel

    part = extract_text2mel(args.experiment)
    part.save(args.out)
    size = parameters(part.model.tts)
    print(
        f"{args.out}: tts: {part.config['tts']}, {size:,} parameters; {part.notes[0]}"
    )
