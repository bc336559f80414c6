"""Complete what tts.sh has written: data folders, statistics, subsets."""

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.recipes.front_end import copy_records, report_front_end
from espnet_distill.recipes.keys import mark_made, statistics_key
from espnet_distill.recipes.latent_targets import (
    remove_targets,
    require_several,
    write_targets,
)
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.one_speaker import require_speaker_data, select_speaker
from espnet_distill.recipes.plan import check_texts, require_ids
from espnet_distill.recipes.pseudo_label_sets import require_text_speakers
from espnet_distill.recipes.subsets import write_subset
from espnet_distill.recipes.teacher_data import inherit_for_data, inherit_statistics
from espnet_distill.utils.files import read_table, read_text


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
    require_speaker_data(layout)
    require_several(layout)
    require_text_speakers(layout)
    if layout.is_synthesized:
        select_speaker(layout)
    return "".join(f"{line}\n" for line in lines) + report_front_end(layout)


def finish_statistics(layout: Layout) -> str:
    """Record what the statistics were made from; copy a teacher's for ``teacher_stats``.

    Those of a student of latents are the latents'.

    Returns:
        Lines that name the files.
    """
    options, report = layout.options, ""
    if layout.is_latent:
        report += write_targets(layout)
    else:
        remove_targets(layout)
    if options.teacher_stats and not options.train_teacher:
        folder, teacher = layout.stats_dir / "train", Experiment(layout.teacher_model)
        copied = inherit_statistics(teacher, folder)
        report += f"{folder}: {', '.join(copied) or 'nothing'} of {teacher}\n"
    mark_made(layout.stats_dir, statistics_key(layout))
    return report


def select_subsets(layout: Layout) -> None:
    """Write the data folders of sets whose utterances or speech are not the recordings'.

    Those are the sets of which utterances have no durations, and those that the teacher
    synthesized.
    """
    options = layout.options
    sets, subsets = (options.train_set, options.valid_set), layout.sets_with_durations
    if layout.is_synthesized:
        sets, subsets = layout.dumped_sets, layout.aligned_sets
    for name, subset in zip(sets, subsets):
        if subset == name:
            continue
        data = layout.raw(name)
        if layout.is_synthesized:
            data = layout.align_dir / subset
            utterances = read_table(data / "text")
        else:
            utterances = read_text(layout.align_dir / subset / "utterances").split()
        write_subset(data, layout.raw(subset), set(utterances))
        if layout.embeddings(name).is_dir():
            layout.embeddings(subset).unlink(missing_ok=True)
            layout.embeddings(subset).symlink_to(name)
