"""Copy a teacher's tokens, statistics and speaker or language ids to data folders."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import statistics_name
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.ids import LANGUAGES, SPEAKERS, Kind, ids_of
from espnet_distill.recipes.layout import Layout
from espnet_distill.utils.files import read_table, read_text, write_text, written_whole

UNKNOWN = "0"  # the id that tts.sh assigns outside of the training set


def inherit_ids(
    kind: Kind, ids: Mapping[str, str], folders: Iterable[Path]
) -> list[str]:
    """Write a teacher's ids of speakers or languages into data folders.

    Args:
        kind: SPEAKERS or LANGUAGES.
        ids: The teacher's table, name → id.
        folders: The data folders. The table is replaced in those that have one.

    Returns:
        The names that are not in the teacher's table; they get the id of ``<unk>``.
    """
    unknown = {}
    for folder in folders:
        names = read_table(folder / kind.names)
        unknown |= {name: None for name in names.values() if name not in ids}
        numbers = {utt: ids.get(name, UNKNOWN) for utt, name in names.items()}
        tables = {kind.numbers: numbers, kind.table: ids}
        if not (folder / kind.table).exists():
            del tables[kind.table]
        for name, table in tables.items():
            lines = (f"{key} {value}\n" for key, value in table.items())
            write_text(folder / name, "".join(lines))
    return list(unknown)


def inherit_tokens(teacher: Experiment, token_list: Path) -> list[str]:
    """Replace a token list by that of a teacher.

    Args:
        teacher: The teacher.
        token_list: The file that stage 5 of tts.sh wrote, one token per line.

    Returns:
        The tokens that are not in the teacher's list; the teacher maps them to
        ``<unk>``.

    Raises:
        ConfigError: The teacher has no token list, or the file cannot be read.
    """
    teacher_tokens = teacher.config.get("token_list")
    if not isinstance(teacher_tokens, list):
        raise ConfigError("token_list: the teacher has none; is it an experiment?")
    tokens = read_text(token_list).split("\n")[:-1]
    if tokens != teacher_tokens:
        write_text(token_list, "".join(f"{token}\n" for token in teacher_tokens))
    return [token for token in tokens if token not in set(teacher_tokens)]


def inherit_statistics(teacher: Experiment, folder: Path) -> list[str]:
    """Copy the statistics of a teacher's normalization; return the file names.

    Args:
        teacher: The teacher.
        folder: The folder with ``feats_stats.npz`` and others from stage 6 of tts.sh.

    Raises:
        ConfigError: A file that the configuration names does not exist.
    """
    copied = []
    for kind, source in teacher.statistics.items():
        target = folder / statistics_name(kind)
        if not target.exists():  # the student has no such statistics
            continue
        if not source.is_file():
            raise ConfigError(f"{teacher}: {source}: no such statistics file")
        with written_whole(target) as beside:
            shutil.copyfile(source, beside)
        copied.append(target.name)
    return copied


def describe_unknown(unknown: list[str]) -> list[str]:
    """Return a line that names what a teacher maps to ``<unk>``, if there is any."""
    return [f"unknown to the teacher, so <unk>: {' '.join(unknown)}"] if unknown else []


def inherit_for_data(layout: Layout) -> list[str]:
    """Give a run's data the tokens and the ids of its teacher.

    Returns:
        Lines that describe what was inherited.
    """
    options, teacher = layout.options, Experiment(layout.given_teacher)
    unknown = inherit_tokens(teacher, layout.token_list)
    number = len(teacher.config["token_list"])
    lines = [f"{layout.token_list}: the {number} tokens of {teacher}"]
    lines += describe_unknown(unknown)
    for kind in (SPEAKERS, LANGUAGES):
        if not options.has_tts_flag(kind.option):
            continue
        folders = [
            folder
            for name in options.sets
            for folder in (layout.raw(f"org/{name}"), layout.raw(name))
            if (folder / kind.numbers).exists()
        ]
        unknown = inherit_ids(kind, ids_of(kind, teacher), folders)
        lines.append(f"{' '.join(map(str, folders))}: the {kind.data} of {teacher}")
        lines += describe_unknown(unknown)
    return lines
