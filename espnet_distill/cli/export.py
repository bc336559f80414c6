"""``espnet-distill export``: write a voice that ONNX runtimes play."""

import argparse
import contextlib
import sys
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.config_values import name_or_none


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add("experiment", metavar="EXP", help="experiment folder, .pth, .zip or tag")
    add("out", metavar="OUT", type=Path, help="new folder")
    add(
        "--vocoder",
        metavar="VOCODER",
        type=name_or_none,
        help="checkpoint or experiment folder of a vocoder",
    )
    add(
        "--weights",
        choices=("fp16", "fp32", "int8"),
        default="fp16",
        help="storage of weights, which are computed in fp32 (default: %(default)s)",
    )
    add(
        "--quantize",
        choices=("dynamic",),
        help="compute products in 8 bits; refused where that is not faster",
    )
    add(
        "--streaming",
        action="store_true",
        help="also write acoustic.onnx and vocoder.onnx, which synthesize in pieces",
    )
    add(
        "--sample",
        metavar="SENTENCE",
        nargs="+",
        default=[],
        help="sentences to synthesize into OUT/samples",
    )
    add(
        "--lexicon",
        metavar="WORDS",
        help="file of words, or auto for the most frequent ones: lexicon.txt for "
        "runtimes without espeak-ng",
    )
    add(
        "--data",
        metavar="DIR",
        type=Path,
        help="data folder of the experiment, for language and voice of its phonemes",
    )
    add(
        "--espeak-voice",
        metavar="VOICE",
        help="espeak-ng's voice of the phonemes, such as de, without --data",
    )
    add(
        "--speakers",
        metavar="FILE",
        type=Path,
        help="names of speakers: ESPnet's spk2sid",
    )
    add(
        "--xvector",
        metavar="NAME",
        nargs="+",
        default=[],
        help="speakers of the training set, whose embeddings become constants of the "
        "voice, for a model of speaker embeddings",
    )
    add(
        "--language-id",
        metavar="ID",
        type=int,
        help="language of the voice, for a model of several",
    )
    add("--license", metavar="TEXT", help="license of corpus and teacher, for the card")
    add("--corpus", metavar="TEXT", help="name of the corpus, for the card")
    add(
        "--evaluation",
        metavar="DIR",
        type=Path,
        help="folder of evaluate, whose table the card repeats",
    )
    add(
        "--web",
        action="store_true",
        help="write OUT/web, a page that synthesizes in a browser",
    )
    add(
        "--web-runtime",
        metavar="DIR",
        type=Path,
        help="folder of the npm package onnxruntime-web; by default, npm downloads it",
    )


def main(args: argparse.Namespace) -> None:
    """Write OUT and print the report."""
    from espnet_distill.onnx_export.export import WEB, export
    from espnet_distill.onnx_export.web.page import PAGE
    from espnet_distill.onnx_export.web.runtime import find_runtime

    if args.web_runtime and not args.web:
        raise ConfigError("--web-runtime: there is no page without --web; leave it out")
    runtime = find_runtime(args.web_runtime) if args.web else None
    with contextlib.redirect_stdout(sys.stderr):  # whatever a text front end prints
        exported = export(
            args.experiment,
            args.out,
            vocoder=args.vocoder,
            weights=args.weights,
            quantize=args.quantize,
            streaming=args.streaming,
            samples=args.sample,
            lexicon=args.lexicon,
            data=args.data,
            espeak_voice=args.espeak_voice,
            speakers=args.speakers,
            xvectors=args.xvector,
            language_id=args.language_id,
            license=args.license,
            corpus=args.corpus,
            evaluation=args.evaluation,
            web=runtime,
        )
    print(exported.report())
    if runtime:
        print(f"{args.out / WEB / PAGE[0]}: open it in a browser")
