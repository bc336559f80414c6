"""The teacher and the data of one speaker, for ``--speaker``."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from espnet_distill.errors import ConfigError, suggest
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.identity import MADE_FROM
from espnet_distill.experiments.ids import LANGUAGES, SPEAKERS, speaker_inputs
from espnet_distill.recipes.keys import format_key, is_made, mark_made
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.run_options import RunOptions
from espnet_distill.recipes.shell_values import require_word
from espnet_distill.recipes.subsets import write_subset
from espnet_distill.utils.checksums import checksum_of
from espnet_distill.utils.files import read_rows, read_table, write_text


def require_speaker_options(options: RunOptions) -> None:
    """Raise a ConfigError for a speaker's name or options that cannot work."""
    speaker = options.speaker
    if not speaker:
        return
    require_word(speaker, "--speaker")
    if "/" in speaker:
        raise ConfigError(f"--speaker {speaker}: has /; folders have its name")
    if options.train_teacher:
        raise ConfigError(
            f"--speaker {speaker}: requires a trained teacher: --train_teacher false "
            "--teacher FOLDER"
        )
    if options.durations_from == "teacher" and options.stage <= 2:
        raise ConfigError(
            f"--speaker {speaker}: run stages 1 and 2, with --durations_from teacher, "
            "without it"
        )
    if options.more_teachers:
        raise ConfigError(
            f"--speaker {speaker}: takes one teacher; omit --more_teachers"
        )


def require_speaker_data(layout: Layout) -> None:
    """Raise a ConfigError if a set has no utterance of the speaker."""
    options = layout.options
    for name in options.sets if options.speaker else ():
        table = layout.raw(name) / "utt2spk"
        known = set(read_table(table).values())
        if options.speaker not in known:
            raise ConfigError(
                f"--speaker {options.speaker}: {table}: has no utterance of this "
                f"speaker; {suggest(options.speaker, sorted(known))}"
            )
    if options.speaker and layout.is_latent and options.has_tts_flag("use_lid"):
        _require_one_language(layout)


def _require_one_language(layout: Layout) -> None:
    """Raise a ConfigError if the speaker's utterances are of several languages."""
    options, found = layout.options, {}
    for raw in map(layout.raw, options.sets):
        speakers = read_table(raw / SPEAKERS.names).items()
        utterances = [utt for utt, name in speakers if name == options.speaker]
        table = raw / LANGUAGES.names
        languages = read_rows(table, utterances, "run stage 1 again")
        found |= {languages[utt]: table for utt in utterances}
    if len(found) > 1:
        places = ", ".join(f"{name} in {table}" for name, table in found.items())
        raise ConfigError(
            f"--speaker {options.speaker}: has utterances of several languages, "
            f"{places}; a vocoder of latents has one: keep those of one, or use "
            "--student_features mel"
        )


def fold_teacher(layout: Layout) -> None:
    """Write the teacher's model of the speaker, if this is exact.

    One of the same teacher and speaker is kept. A line on stderr says what was done.

    Raises:
        ConfigError: The teacher has one speaker or none of this name.
    """
    speaker, folder = layout.options.speaker, layout.folded_teacher.parent
    teacher = Experiment(layout.given_teacher)
    inputs = speaker_inputs(teacher, speaker)
    values = " ".join(f"{name} {x.tolist()}" for name, x in inputs.items())
    key = format_key(teacher.identity | {"speaker": checksum_of([values])})
    if is_made(folder, key):
        return
    if folder.exists() and not (folder / MADE_FROM).is_file():
        raise ConfigError(
            f"{folder}: is no teacher of one speaker, which --speaker {speaker} writes "
            "there; rename it"
        )

    from espnet_distill.students.one_speaker import one_speaker, why_not_exact

    shutil.rmtree(folder, ignore_errors=True)
    if obstacle := why_not_exact(teacher.model.tts):
        report = f"{teacher}: {obstacle}; the teacher keeps its speakers"
    else:
        made = one_speaker(teacher, speaker)
        made.save(folder)
        mark_made(folder, key)
        report = f"{folder}: {' '.join(made.notes)}"
    print(report, file=sys.stderr)


def select_speaker(layout: Layout) -> None:
    """Write the data folders and durations of the speaker's utterances.

    Their speaker embedding is the mean of the speaker's in the training set. A teacher of
    waveforms synthesizes these folders; other teachers' utterances have durations before.
    """
    options = layout.options
    if not options.speaker:
        return
    sources = options.sets
    if not layout.is_synthesized:
        sources = (*layout.sets_with_durations, *options.test_sets.split())
    for source in sources:
        out = layout.of_speaker(source)
        speakers = read_table(layout.raw(source) / "utt2spk")
        utterances = [utt for utt, name in speakers.items() if name == options.speaker]
        if not utterances:
            raise ConfigError(
                f"--speaker {options.speaker}: {layout.raw(source)}: has no utterance "
                "of this speaker with durations"
            )
        write_subset(layout.raw(source), layout.raw(out), set(utterances))
        durations = layout.align_dir / source / "durations"
        if durations.is_file():
            table = read_table(durations)
            rows = [(utt, table[utt]) for utt in utterances if utt in table]
            write_rows(layout.align_dir / out / "durations", rows)
        if options.has_tts_flag("use_spk_embed"):
            write_embeddings(layout, out, dict.fromkeys(utterances, options.speaker))


def write_embeddings(layout: Layout, name: str, speakers: dict[str, str]) -> None:
    """Give the utterances of a set the mean embeddings of their speakers.

    Args:
        layout: The run's layout.
        name: The set.
        speakers: Utterance → speaker.

    Raises:
        ConfigError: A speaker has no embedding in the training set.
    """
    tag = layout.spk_embed_tag
    table = layout.embeddings(layout.options.train_set) / f"spk_{tag}.scp"
    if not table.is_file():
        raise ConfigError(f"{table}: no such file; stage 1 writes the embeddings")
    means = read_table(table)
    for utterance, speaker in speakers.items():
        if speaker not in means:
            raise ConfigError(
                f"{table}: no speaker embedding of {speaker}, which {utterance} of "
                f"{name} needs; {suggest(speaker, means)}"
            )
    rows = ((utterance, means[speaker]) for utterance, speaker in speakers.items())
    write_rows(layout.embeddings(name) / f"{tag}.scp", rows)
    means_of_set = (
        (speaker, means[speaker]) for speaker in sorted({*speakers.values()})
    )
    write_rows(layout.embeddings(name) / f"spk_{tag}.scp", means_of_set)


def write_rows(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write a table ``key value``."""
    write_text(path, "".join(f"{key} {value}\n" for key, value in rows))
