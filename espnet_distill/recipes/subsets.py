"""Data folders of some utterances of another."""

import shutil
from collections.abc import Collection
from pathlib import Path

from espnet_distill.data.front_end import RECORD, WORDS
from espnet_distill.utils.files import (
    folder_written_whole,
    read_table,
    read_text,
    write_text,
)

COPIED = ("feats_type", "audio_format", "frame_shift", RECORD)


def write_subset(source: Path, out: Path, utterances: Collection[str]) -> None:
    """Write a data folder of some utterances of another one.

    Args:
        source: The data folder; its tables ``text``, ``words``, ``*.scp`` and ``utt2*``
            are filtered.
        out: The folder to write.
        utterances: The utterances to keep.
    """
    tables = [source / "text", *source.glob("*.scp"), *source.glob("utt2*")]
    tables += source.glob(WORDS)
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
