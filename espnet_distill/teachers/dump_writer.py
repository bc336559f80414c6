"""Files of a teacher dump: one array for each utterance and tap."""

from pathlib import Path

import numpy as np

from espnet_distill.objectives.base import Taps
from espnet_distill.utils.files import (
    flush_disk,
    remove_abandoned,
    utterance_file,
    write_array,
    write_text,
    written_whole,
)
from espnet_distill.utils.utterance_files import require_dumped
from espnet_distill.utils.validation import require_finite
from espnet_distill.utils.whole_files import is_whole_array

# One value a token: small, and half precision would show.
FULL_PRECISION = ("duration", "pitch", "energy")


BEGUN = "begun.yaml"  # record of an unfinished dump


class TapFiles:
    """The taps of one teacher, `<folder>/data/<tap>/<utterance>.npy`."""

    def __init__(self, folder: Path, taps: tuple[str, ...]):
        self.folder = folder
        self.taps = taps

    def path(self, tap: str, utterance: str) -> Path:
        return utterance_file(self.folder / "data" / tap, utterance, ".npy")

    def has(self, utterance: str) -> bool:
        """Return True if all files of an utterance exist and are complete."""
        return all(is_whole_array(self.path(tap, utterance)) for tap in self.taps)

    def write(self, utterances: list[str], taps: Taps) -> None:
        """Write a batch; frame-level and hidden taps in half precision.

        Raises:
            ConfigError: Taps that are NaN or infinite, or become so in half precision.
        """
        for tap in self.taps:
            arrays = taps[tap].cpu().numpy()
            if tap not in FULL_PRECISION:
                with np.errstate(over="ignore"):  # refused below
                    arrays = arrays.astype(np.float16)
            arrays = [array[:n] for array, n in zip(arrays, taps.lengths[tap])]
            if tap == "attention":  # ESPnet's collate function pads one axis only
                tokens = taps.lengths["attention_tokens"]
                arrays = [array[:, :n].ravel() for array, n in zip(arrays, tokens)]
            require_finite(
                dict(zip(utterances, arrays)),
                f"{self.folder}: tap {tap} of the teacher",
                "leave out those utterances, or name another teacher",
            )
            for utterance, array in zip(utterances, arrays):
                path = self.path(tap, utterance)
                with written_whole(path, flush=False) as temporary:
                    write_array(temporary, array)

    def write_index(self, utterances: list[str]) -> None:
        """Write `<tap>.scp` and `<tap>.bytes`.

        Raises:
            ConfigError: Utterances that are not dumped.
        """
        require_dumped(self, utterances, "run teacher_dump again")
        flush_disk()
        for tap in self.taps:
            remove_abandoned(self.folder / "data" / tap)
            paths = {utterance: self.path(tap, utterance) for utterance in utterances}
            sizes = {
                utterance: path.stat().st_size for utterance, path in paths.items()
            }
            for name, values in (("scp", paths), ("bytes", sizes)):
                lines = (f"{key} {value}\n" for key, value in values.items())
                write_text(self.folder / f"{tap}.{name}", "".join(lines))
