"""Complete what tts.sh has written: data folders, statistics, subsets."""

import shutil
from collections.abc import Collection
from pathlib import Path

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.recipes.front_end import copy_records, report_front_end
from espnet_distill.recipes.keys import mark_made, statistics_key
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.plan import check_texts, require_ids
from espnet_distill.recipes.teacher_data import inherit_for_data, inherit_statistics
from espnet_distill.utils.files import (
    folder_written_whole,
    read_table,
    read_text,
    write_text,
)

COPIED = ("feats_type", "audio_format", "frame_shift")


def finish_data(layout: Layout) -> str:
    """Give the data the tokens and ids of a given teacher; check texts and ids.

    Returns:
        Lines that describe what the teacher gave, and a table of what the front end
        makes of the texts.
    """
    copy_records(layout)
    lines = [] if layout.options.train_teacher else inherit_for_data(layout)
    check_texts(layout.options)
    require_ids(layout)
    return "".join(f"{line}\n" for line in lines) + report_front_end(layout)


def finish_statistics(layout: Layout) -> str:
    """Record what the statistics were made from; copy a teacher's for ``teacher_stats``.

    Returns:
        A line that names the copied files.
    """
    options, report = layout.options, ""
    if options.teacher_stats and not options.train_teacher:
        folder, teacher = layout.stats_dir / "train", Experiment(layout.teacher_model)
        copied = inherit_statistics(teacher, folder)
        report = f"{folder}: {', '.join(copied) or 'nothing'} of {teacher}\n"
    mark_made(layout.stats_dir, statistics_key(layout))
    return report


def select_subsets(layout: Layout) -> None:
    """Write the data folders of the sets of which utterances have no durations."""
    options = layout.options
    for name, subset in zip(
        (options.train_set, options.valid_set), layout.aligned_sets
    ):
        if subset == name:
            continue
        utterances = read_text(layout.align_dir / subset / "utterances").split()
        write_subset(layout.raw(name), layout.raw(subset), set(utterances))
        embeddings = Path(options.dumpdir, layout.spk_embed_tag)
        if (embeddings / name).is_dir():
            (embeddings / subset).unlink(missing_ok=True)
            (embeddings / subset).symlink_to(name)


def write_subset(source: Path, out: Path, utterances: Collection[str]) -> None:
    """Write a data folder of some utterances of another one.

    Args:
        source: The data folder; its tables ``text``, ``*.scp`` and ``utt2*`` are
            filtered.
        out: The folder to write.
        utterances: The utterances to keep.
    """
    tables = [source / "text", *source.glob("*.scp"), *source.glob("utt2*")]
    with folder_written_whole(out, instead=True) as beside:
        for table in tables:
            lines = read_text(table).splitlines(keepends=True)
            kept = [line for line in lines if line.split(maxsplit=1)[0] in utterances]
            write_text(beside / table.name, "".join(kept))
        speakers: dict[str, list[str]] = {}
        for utterance, speaker in read_table(beside / "utt2spk").items():
            speakers.setdefault(speaker, []).append(utterance)
        lines = (f"{name} {' '.join(utts)}\n" for name, utts in speakers.items())
        write_text(beside / "spk2utt", "".join(lines))
        for path in (source / name for name in COPIED):
            if path.is_file():
                shutil.copyfile(path, beside / path.name)
