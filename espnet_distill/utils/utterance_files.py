"""Files of a dump: arrays and WAV files of each utterance, and their lists."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import (
    flush_disk,
    remove_abandoned,
    utterance_file,
    write_array,
    write_text,
    write_wav,
    written_whole,
)
from espnet_distill.utils.validation import require_finite
from espnet_distill.utils.whole_files import is_whole_array, is_whole_wav

ARRAY, WAVE = ".npy", ".wav"
IS_WHOLE = {ARRAY: is_whole_array, WAVE: is_whole_wav}


def require_dumped(files, utterances: Sequence[str], remedy: str) -> None:
    """Raise a ConfigError that names ten utterances without complete files.

    Args:
        files: A dump's, with `folder` and `has`.
        utterances: Those that must be dumped.
        remedy: What to do, for the message.
    """
    missing = [utterance for utterance in utterances if not files.has(utterance)]
    if missing:
        raise ConfigError(
            f"{files.folder}: {len(missing)} of {len(utterances)} utterances are not "
            f"dumped: {', '.join(missing[:10])}; {remedy}"
        )


class UtteranceFiles:
    """``<folder>/<kind>/<utterance><suffix>`` and the lists ``<folder>/<kind>.scp``.

    Args:
        folder: The folder of one set.
        kinds: Kind of file → ARRAY or WAVE.
        remedy: What to do where files are missing, for messages.
    """

    def __init__(self, folder: Path, kinds: Mapping[str, str], remedy: str):
        self.folder, self.kinds, self.remedy = folder, kinds, remedy

    def path(self, kind: str, utterance: str) -> Path:
        """Return the path of a file."""
        return utterance_file(self.folder / kind, utterance, self.kinds[kind])

    def list_of(self, kind: str) -> Path:
        """Return the list of a kind's files."""
        return self.folder / f"{kind}.scp"

    def has(self, utterance: str) -> bool:
        """Return True if all files of an utterance exist and are complete."""
        return all(
            IS_WHOLE[suffix](self.path(kind, utterance))
            for kind, suffix in self.kinds.items()
        )

    def write(
        self, utterance: str, arrays: Mapping[str, np.ndarray], rate: int, remedy: str
    ) -> None:
        """Write arrays and waveforms by kind, each file atomically.

        Args:
            utterance: Its id.
            arrays: An array for each kind; a waveform (T,) in [-1, 1].
            rate: Sampling rate of the waveforms in Hz.
            remedy: What to do about values that are not finite, for the message.

        Raises:
            ConfigError: A value is NaN or infinite.
        """
        require_finite(arrays, f"{self.folder}: {utterance}", remedy)
        for kind, array in arrays.items():
            with written_whole(self.path(kind, utterance), flush=False) as beside:
                if self.kinds[kind] == WAVE:
                    write_wav(beside, array, rate)
                else:
                    write_array(beside, array)

    def write_lists(self, utterances: Iterable[str]) -> None:
        """Write the lists of all utterances' files.

        Raises:
            ConfigError: Utterances have no complete files; the message names ten.
        """
        utterances = list(utterances)
        require_dumped(self, utterances, self.remedy)
        flush_disk()
        for kind in self.kinds:
            remove_abandoned(self.folder / kind)
            lines = (f"{one} {self.path(kind, one)}\n" for one in utterances)
            write_text(self.list_of(kind), "".join(lines))
