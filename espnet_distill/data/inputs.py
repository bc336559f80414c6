"""Check the data of a dump, `<path> <name> <type>` as ESPnet takes them, before it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.utils.files import read_rows

NUMBERS = ("text_int", "csv_int")
FILES = ("npy", "kaldi_ark")  # recordings have a check of their own


def require_inputs(
    data: Iterable[tuple[str, str, str]], utterances: Sequence[str]
) -> None:
    """Raise a ConfigError unless all data have these utterances.

    Args:
        data: Path, name and type of each.
        utterances: Those that are to be read.

    Raises:
        ConfigError: A table lacks an utterance, has a word in place of a number, or
            names a file that does not exist; a line for each table.
    """
    with ErrorCollector() as faults:
        for path, name, kind in data:
            faults.check(_require_rows, path, name, kind, utterances)


def _require_rows(path: str, name: str, kind: str, utterances: Sequence[str]) -> None:
    rows = read_rows(Path(path), utterances, "add them, or leave the utterances out")
    for utterance in utterances:
        row = rows[utterance]
        if kind in NUMBERS and not _are_numbers(row):
            raise ConfigError(
                f"{path}: {utterance}: {row!r}: {name} are whole numbers; name the table "
                "of the ids, such as utt2sid"
            )
        if kind in FILES and not _is_there(row):
            raise ConfigError(f"{path}: {utterance}: {row}: no such file")


def _are_numbers(row: str) -> bool:
    try:
        [int(word) for word in row.replace(",", " ").split()]
    except ValueError:
        return False
    return True


def _is_there(place: str) -> bool:
    """Return True if a file exists; of an archive, ``FILE:OFFSET``, or a command."""
    names = place, place.rpartition(":")[0], place.partition(":")[0]
    return place.endswith("|") or any(Path(name).is_file() for name in names)
