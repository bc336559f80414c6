"""``espnet-distill evaluate``: teacher and students in one table."""

import argparse
import shlex
from pathlib import Path

from espnet_distill.errors import ErrorCollector


def _evaluate(args: argparse.Namespace, asked, systems: list, utterances: dict) -> None:
    from espnet_distill.data.utterances import known_durations
    from espnet_distill.evaluation import report, table
    from espnet_distill.evaluation import score as quality
    from espnet_distill.evaluation.metrics import teacher_forced as forced
    from espnet_distill.profiling import text2speech as load
    from espnet_distill.utils.files import write_text

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
    scores = quality.score_all(
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
    from espnet_distill.evaluation.espnet_models import is_espnet
    from espnet_distill.evaluation.metrics import asr, asr_espnet, speaker

    name, recognizer = args.asr_model, asr.Whisper(args.asr_model)
    with ErrorCollector() as faults:
        if "wer" in args.measures and name and is_espnet(name):
            recognizer = faults.check(asr_espnet.find, name, where="--asr_model: ")
        elif "wer" in args.measures:
            faults.check(asr.check_model, name)
        voice = args.speaker_model and faults.check(
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
    from espnet_distill.experiments.experiment import read_config
    from espnet_distill.experiments.portable_config import write_portable
    from espnet_distill.profiling import macs as complexity
    from espnet_distill.profiling import speed

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
