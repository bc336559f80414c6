"""The data folders of a run's pseudo-labels."""

import shutil
from pathlib import Path

from espnet_distill.data.front_end import RECORD, prepare_lines
from espnet_distill.errors import ConfigError, suggest
from espnet_distill.recipes.front_end import front_end_of_run
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.one_speaker import write_embeddings, write_rows
from espnet_distill.recipes.run_options import RunOptions
from espnet_distill.recipes.teacher_data import UNKNOWN
from espnet_distill.utils.files import read_rows, read_table, read_text, write_text


def sorted_lines(*paths: Path) -> str:
    """Return the lines of files in the order of ``LC_ALL=C sort``."""
    lines = [line for path in paths for line in read_text(path).split("\n") if line]
    return "".join(f"{line}\n" for line in sorted(lines, key=str.encode))


def prepared_text(layout: Layout) -> str:
    """Return the lines of the text for pseudo-labels as the recordings' text is.

    It is normalized, and phonemized, if the training set's was.
    """
    options, path = layout.options, Path(layout.options.pseudo_label_text)
    recorded = layout.raw(options.train_set)
    text = sorted_lines(path)
    if not (recorded / RECORD).is_file():
        return text
    lines = dict(line.split(maxsplit=1) for line in text.splitlines())
    front_end = front_end_of_run(options, recorded)
    prepared = prepare_lines(lines, front_end, str(path))
    return "".join(f"{utterance} {words}\n" for utterance, words in prepared.items())


def write_text_set(layout: Layout) -> str:
    """Write the data folder of the text that the teacher synthesizes.

    Each utterance gets a speaker, see :func:`speakers_of_text`, with the speaker's id or
    mean embedding, and the speaker's first recording, which stage 8 of tts.sh requires.

    Returns:
        A line with the number of utterances.
    """
    text, options = prepared_text(layout), layout.options
    recorded, out = layout.raw(layout.aligned_sets[0]), layout.raw(layout.text_set)
    utterances = [line.split(maxsplit=1)[0] for line in text.splitlines()]
    speakers = speakers_of_text(layout, utterances)
    if options.has_tts_flag("use_spk_embed"):
        write_embeddings(layout, layout.text_set, speakers)
    write_text(out / "text", text)
    write_rows(out / "utt2spk", speakers.items())
    first = _first_recordings(recorded)
    for name in ("wav.scp", *_id_tables(options)):
        values = read_table(recorded / name)
        rows = ((utt, values[first[speaker]]) for utt, speaker in speakers.items())
        write_rows(out / name, rows)
    write_text(out / "feats_type", "raw\n")
    number = len(set(speakers.values()))
    report = f"{out}: {len(utterances)} utterances to synthesize"
    return f"{report} by {number} speakers\n" if number > 1 else f"{report}\n"


def _first_recordings(data: Path) -> dict[str, str]:
    """Return the first utterance of each speaker of a data folder."""
    first: dict[str, str] = {}
    for utterance, speaker in read_table(data / "utt2spk").items():
        first.setdefault(speaker, utterance)
    return first


def _id_tables(options: RunOptions) -> list[str]:
    """Return the names of the tables of ids that a run uses."""
    return ["utt2sid"] if options.has_tts_flag("use_sid") else []


def speakers_of_text(layout: Layout, utterances: list[str]) -> dict[str, str]:
    """Return the speaker of each utterance of the text for pseudo-labels.

    With ``speaker`` it is that one. Otherwise ``<pseudo_label_text>.utt2spk`` has them,
    if there is one; else the speakers of the training set alternate. Speakers that the
    teacher does not have are left out.

    Raises:
        ConfigError: The table lacks an utterance, or names another speaker.
    """
    speaker = layout.options.speaker
    if speaker:
        return dict.fromkeys(utterances, speaker)
    known, table = _known_speakers(layout), _speaker_table(layout)
    if not table.is_file():
        return {utt: known[i % len(known)] for i, utt in enumerate(utterances)}
    given = read_rows(table, utterances, "add it, or remove the table")
    for utt in utterances:
        if given[utt] not in known:
            raise ConfigError(
                f"{table}: {utt}: the training set has no speaker {given[utt]} that the "
                f"teacher has, too; {suggest(given[utt], known)}"
            )
    return {utt: given[utt] for utt in utterances}


def _speaker_table(layout: Layout) -> Path:
    return Path(f"{layout.options.pseudo_label_text}.utt2spk")


def _known_speakers(layout: Layout) -> list[str]:
    """Return the sorted speakers of the training set that have an id of their own.

    Before stage 2, they are those of all recordings.
    """
    data = layout.raw(layout.sets_with_durations[0])
    if not data.is_dir():
        data = layout.raw(layout.options.train_set)
    first, known = _first_recordings(data), []
    for name in _id_tables(layout.options):
        ids = read_table(data / name)
        known = [speaker for speaker, utt in first.items() if ids[utt] != UNKNOWN]
        if not known:
            raise ConfigError(f"{data / name}: the teacher has none of these speakers")
    return sorted(known or first)


def require_text_speakers(layout: Layout) -> None:
    """Raise a ConfigError if the table of speakers beside the text is invalid."""
    text = layout.options.pseudo_label_text
    if text and _speaker_table(layout).is_file():
        speakers_of_text(layout, list(read_table(Path(text))))


def add_pseudo_labels(layout: Layout) -> str:
    """Write the training set of recordings and pseudo-labels, and its durations.

    Returns:
        A line that names the set.
    """
    recorded, out = layout.aligned_sets[0], layout.training_sets[0]
    labels = layout.align_dir / layout.text_set
    for name in ("text", "utt2spk", "wav.scp", *_id_tables(layout.options)):
        lines = sorted_lines(layout.raw(recorded) / name, labels / name)
        write_text(layout.raw(out) / name, lines)
    shutil.copyfile(layout.raw(recorded) / "feats_type", layout.raw(out) / "feats_type")
    durations = (layout.align_dir / recorded / "durations", labels / "durations")
    write_text(layout.align_dir / out / "durations", sorted_lines(*durations))
    if layout.options.has_tts_flag("use_spk_embed"):
        tag, sets = layout.spk_embed_tag, (recorded, layout.text_set)
        tables = (layout.embeddings(name) / f"{tag}.scp" for name in sets)
        write_text(layout.embeddings(out) / f"{tag}.scp", sorted_lines(*tables))
        means = layout.embeddings(recorded) / f"spk_{tag}.scp"
        shutil.copyfile(means, layout.embeddings(out) / means.name)
    return f"{layout.raw(out)}: {recorded} and {layout.text_set}\n"
