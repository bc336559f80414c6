"""``espnet-distill import-piper``: make an experiment of a Piper voice."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "voice",
        metavar="VOICE.onnx",
        type=Path,
        help="a voice, with VOICE.onnx.json beside it",
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="new folder")


def main(args: argparse.Namespace) -> None:
    """Write OUT and print its size."""
    from espnet_distill.students.import_piper import import_piper

    experiment = import_piper(args.voice, args.out)
    settings = experiment.config["tts_conf"]
    count = sum(tensor.numel() for tensor in experiment.weights.values())
    speakers = settings["generator_params"].get("spks", 1)
    print(
        f"{args.out}: {count:,} weights, {settings['sampling_rate']} Hz, "
        f"{speakers} speaker{'s' if speakers > 1 else ''}"
    )
