"""Write an ESPnet data folder, for `espnet-distill list-clips`."""

from collections.abc import Iterable
from pathlib import Path

from espnet_distill.utils.files import require_folder, write_text


def write_data_folder(
    out: Path, rows: Iterable[tuple[str, Path | str, str, str]]
) -> None:
    """Write ``wav.scp``, ``text`` and ``utt2spk``, sorted as ``LC_ALL=C sort`` does.

    Args:
        out: The folder.
        rows: (id, audio file, text, speaker) of each utterance.
    """
    rows = sorted(rows)
    require_folder(out)
    for column, name in enumerate(("wav.scp", "text", "utt2spk"), start=1):
        lines = (f"{row[0]} {row[column]}\n" for row in rows)
        write_text(out / name, "".join(lines))
