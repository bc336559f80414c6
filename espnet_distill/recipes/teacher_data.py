"""Give data a teacher's tokens, statistics, and speaker or language ids."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import STATISTICS
from espnet_distill.utils.files import read_table, read_text, write_text, written_whole

UNKNOWN = "0"  # as tts.sh numbers those that its training set lacks


@dataclass(frozen=True)
class Kind:
    """What tts.sh calls the ids of speakers, or those of languages.

    Attributes:
        data: Their name among the data of a training.
        names: The file of a data folder that names an utterance's.
        numbers: That which numbers it.
        table: That which tells the numbers.
        option: Of tts.sh, that makes them.
    """

    data: str
    names: str
    numbers: str
    table: str
    option: str


SPEAKERS = Kind("sids", "utt2spk", "utt2sid", "spk2sid", "use_sid")


LANGUAGES = Kind("lids", "utt2lang", "utt2lid", "lang2lid", "use_lid")


def ids_of(kind: Kind, conf: Mapping, config: Path, checkpoint: Path) -> dict[str, str]:
    """Return the ids of the speakers or languages that a teacher was trained on.

    Args:
        kind: Which of them.
        conf: The configuration of a trained experiment.
        config: Its file. A packed model has the table that tts.sh put into it.
        checkpoint: Its weights, which may be linked from where they were unpacked.

    Raises:
        ConfigError: It was trained without such ids, or their table is not there.
    """
    data = conf.get("train_data_path_and_name_and_type") or []
    paths = [Path(path) for path, name, _ in data if name == kind.data]
    if not paths:
        raise ConfigError(
            f"{config}: was trained without {kind.data}; leave out --{kind.option} true"
        )
    if (config.parent / kind.table).is_file():  # as `unpack` writes it
        return read_table(config.parent / kind.table)
    folder = paths[0].parent
    org = _root(config, checkpoint) / folder.parent / "org"
    table = org / folder.name / kind.table
    if not table.is_file():
        raise ConfigError(
            f"{table}: no such file; it tells the {kind.data} of {config}"
        )
    return read_table(table)


def _root(config: Path, checkpoint: Path) -> Path:
    """Where the paths of an experiment begin: where it was unpacked, or here."""
    above = (*config.resolve().parents, *checkpoint.resolve().parents)
    packed = (folder for folder in above if (folder / "meta.yaml").is_file())
    return next(packed, Path())


def inherit_ids(
    kind: Kind, ids: Mapping[str, str], folders: Iterable[Path]
) -> list[str]:
    """Number the speakers or languages of data folders as a teacher does.

    Args:
        kind: Which of them.
        ids: Of the teacher.
        folders: Those that have a table get the teacher's.

    Returns:
        The names that the teacher does not know; they are its ``<unk>``.
    """
    unknown = {}
    for folder in folders:
        names = read_table(folder / kind.names)
        unknown |= {one: None for one in names.values() if one not in ids}
        numbers = {utt: ids.get(one, UNKNOWN) for utt, one in names.items()}
        tables = {kind.numbers: numbers, kind.table: ids}
        if not (folder / kind.table).exists():
            del tables[kind.table]
        for name, table in tables.items():
            lines = (f"{key} {value}\n" for key, value in table.items())
            write_text(folder / name, "".join(lines))
    return list(unknown)


def inherit_tokens(conf: Mapping, token_list: Path) -> list[str]:
    """Put a teacher's tokens into the place of those that a text has.

    Args:
        conf: The configuration of a trained experiment.
        token_list: What stage 5 of tts.sh made, a token a line.

    Returns:
        The tokens of the text that the teacher does not know; it takes them for
        ``<unk>``.

    Raises:
        ConfigError: The teacher has no tokens, or the file cannot be read.
    """
    known = conf.get("token_list")
    if not isinstance(known, list):
        raise ConfigError("token_list: the teacher has none; is it an experiment?")
    found = read_text(token_list).split("\n")[:-1]
    if found != known:
        write_text(token_list, "".join(f"{token}\n" for token in known))
    return [token for token in found if token not in set(known)]


def inherit_statistics(conf: Mapping, folder: Path) -> list[str]:
    """Copy the statistics that a teacher normalises with; return their names.

    Args:
        conf: The configuration of a trained experiment.
        folder: Where stage 6 of tts.sh puts ``feats_stats.npz`` and others.

    Raises:
        ConfigError: A file that the configuration names is not there.
    """
    copied = []
    for key, kind in STATISTICS.items():
        source = (conf.get(key) or {}).get("stats_file")
        target = folder / f"{kind}_stats.npz"
        if not source or not target.exists():  # the teacher or the student has none
            continue
        if not Path(source).is_file():
            raise ConfigError(f"{key}.stats_file: {source}: no such file")
        with written_whole(target) as beside:
            shutil.copyfile(source, beside)
        copied.append(target.name)
    return copied


def _say_unknown(unknown: list[str]) -> None:
    if unknown:
        print(f"unknown to the teacher, so <unk>: {' '.join(unknown)}")
