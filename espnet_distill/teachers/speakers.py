"""Speaker ids of data that a teacher speaks: its own, whoever else is in the data."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.files import read_table, write_text

UNKNOWN = "0"  # as tts.sh numbers those that its training set lacks


def speakers_of(conf: Mapping, config: Path, checkpoint: Path) -> dict[str, str]:
    """Return the ids of the speakers that a teacher was trained on.

    Args:
        conf: The configuration of a trained experiment.
        config: Its file. A packed model has the table that tts.sh put into it.
        checkpoint: Its weights, which may be linked from where they were unpacked.

    Raises:
        ConfigError: It was trained without speaker ids, or their table is not there.
    """
    data = conf.get("train_data_path_and_name_and_type") or []
    paths = [Path(path) for path, name, _ in data if name == "sids"]
    if not paths:
        raise ConfigError(
            f"{config}: was trained without sids; leave out --use_sid true"
        )
    folder = paths[0].parent
    table = _root(config, checkpoint) / folder.parent / "org" / folder.name / "spk2sid"
    if not table.is_file():
        raise ConfigError(
            f"{table}: no such file; it tells the ids of the speakers of {config}"
        )
    return read_table(table)


def _root(config: Path, checkpoint: Path) -> Path:
    """Where the paths of an experiment begin: where it was unpacked, or here."""
    above = (*config.resolve().parents, *checkpoint.resolve().parents)
    packed = (folder for folder in above if (folder / "meta.yaml").is_file())
    return next(packed, Path())


def inherit_speakers(ids: Mapping[str, str], folders: Iterable[Path]) -> list[str]:
    """Number the speakers of data folders as a teacher does.

    Args:
        ids: Of its speakers.
        folders: With ``utt2spk``; one that has a ``spk2sid`` gets the teacher's.

    Returns:
        The speakers that the teacher does not know; they are its ``<unk>``.
    """
    unknown = {}
    for folder in folders:
        speakers = read_table(folder / "utt2spk")
        unknown |= {one: None for one in speakers.values() if one not in ids}
        numbers = {utt: ids.get(one, UNKNOWN) for utt, one in speakers.items()}
        tables = {"utt2sid": numbers, "spk2sid": ids}
        if not (folder / "spk2sid").exists():
            del tables["spk2sid"]
        for name, table in tables.items():
            lines = (f"{key} {value}\n" for key, value in table.items())
            write_text(folder / name, "".join(lines))
    return list(unknown)
