"""Copy a teacher's tokens, statistics and speaker or language ids to data folders."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import statistics_name
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.recipes.layout import Layout
from espnet_distill.utils.files import read_table, read_text, write_text, written_whole

UNKNOWN = "0"  # the id that tts.sh assigns outside of the training set


@dataclass(frozen=True)
class Kind:
    """The names that tts.sh uses for speaker ids or for language ids.

    Attributes:
        data: The name of the ids in a training's data.
        names: The file utterance → speaker or language name of a data folder.
        numbers: The file utterance → id of a data folder.
        table: The file name → id.
        option: The option of tts.sh that enables the ids.
    """

    data: str
    names: str
    numbers: str
    table: str
    option: str


SPEAKERS = Kind("sids", "utt2spk", "utt2sid", "spk2sid", "use_sid")


LANGUAGES = Kind("lids", "utt2lang", "utt2lid", "lang2lid", "use_lid")


def ids_of(kind: Kind, teacher: Experiment) -> dict[str, str]:
    """Return the ids of the speakers or languages of a teacher: name → id.

    Args:
        kind: SPEAKERS or LANGUAGES.
        teacher: The teacher. A packed model contains the table that tts.sh wrote; the
            checkpoint may be a link into the folder of an unpacked model.

    Raises:
        ConfigError: The teacher was trained without such ids, or the table is missing.
    """
    data = teacher.config.get("train_data_path_and_name_and_type") or []
    paths = [Path(path) for path, name, _ in data if name == kind.data]
    if not paths:
        raise ConfigError(
            f"{teacher}: was trained without {kind.data}; leave out --{kind.option} true"
        )
    beside = teacher.config_file.parent / kind.table
    if beside.is_file():  # written by `unpack`
        return read_table(beside)
    folder = paths[0].parent
    org = _root(teacher.config_file, teacher.checkpoint) / folder.parent / "org"
    table = org / folder.name / kind.table
    if not table.is_file():
        raise ConfigError(f"{table}: no such file; it has the {kind.data} of {teacher}")
    return read_table(table)


def _root(config: Path, checkpoint: Path) -> Path:
    """Return the base of relative paths: the unpacked archive, or this folder."""
    parents = (*config.resolve().parents, *checkpoint.resolve().parents)
    unpacked = (folder for folder in parents if (folder / "meta.yaml").is_file())
    return next(unpacked, Path())


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
    options, teacher = layout.options, Experiment(layout.teacher_model)
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
