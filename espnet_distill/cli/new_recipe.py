"""``espnet-distill new-recipe``: write a recipe for a corpus of one speaker."""

import argparse
import sys
from pathlib import Path

from espnet_distill.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add(
        "recipe",
        metavar="RECIPE_DIR",
        type=Path,
        help="new folder, such as egs/<name>/tts1",
    )
    add(
        "--metadata",
        metavar="FILE",
        type=Path,
        required=True,
        help="lines id|text or id|text|normalized text",
    )
    add(
        "--wavs",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder of the recordings, <id>.wav or another format of libsndfile",
    )
    add(
        "--g2p",
        metavar="NAME",
        required=True,
        help="espeak_ng with --language; a g2p of ESPnet, such as espeak_ng_german or "
        "pyopenjtalk_prosody; or none, for graphemes",
    )
    add(
        "--language",
        metavar="TAG",
        help="language of the text, such as de or pt-br (default: the g2p's)",
    )
    add("--speaker", metavar="NAME", help="(default: the name of the recipe)")
    add(
        "--fs",
        metavar="HZ",
        type=int,
        help="sampling rate: 16000, 22050 or 24000 (default: by the recordings)",
    )
    add(
        "--steps",
        metavar="N",
        type=int,
        help="steps of the teacher, and a third for the student (default: by the hours "
        "of speech)",
    )


def main(args: argparse.Namespace) -> None:
    """Write the recipe and print the report, and on stderr what its evaluation lacks."""
    from espnet_distill.evaluation.metrics.asr import require_recognizer
    from espnet_distill.recipes.corpus_front_end import choose_front_end
    from espnet_distill.recipes.new_recipe import new_recipe

    report = new_recipe(
        args.recipe,
        args.metadata,
        args.wavs,
        args.g2p,
        language=args.language,
        speaker=args.speaker,
        fs=args.fs,
        steps=args.steps,
    )
    print("\n".join(report))
    try:
        require_recognizer(choose_front_end(args.g2p, args.language).language)
    except ConfigError as error:
        print(f"note: the evaluation requires more: {error}", file=sys.stderr)
