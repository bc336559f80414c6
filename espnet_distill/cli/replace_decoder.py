"""``espnet-distill replace-decoder``: put a vocoder of latents into a VITS or JETS."""

import argparse
from pathlib import Path

from espnet_distill.utils.files import require_new


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("experiment", metavar="EXP", help="VITS or JETS: folder, .pth, .zip or tag")
    add("vocoder", metavar="VOCODER", help="experiment of a vocoder of its latents")
    add("out", metavar="OUT", type=Path, help="new folder")


def main(args: argparse.Namespace) -> None:
    """Write OUT and print the numbers of parameters."""
    from espnet_distill.students.replace_decoder import replace_decoder
    from espnet_distill.teachers.text_to_wave import decoder_of

    require_new(args.out)
    replaced = replace_decoder(args.experiment, args.vocoder)
    before, after = (
        sum(weight.numel() for weight in decoder_of(one.model.tts).parameters())
        for one in (replaced.origin, replaced)
    )
    replaced.save(args.out)
    print(f"{args.out}: a decoder of {after:,} parameters in place of {before:,}")
