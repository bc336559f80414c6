"""Dumps of a vocoder's waveforms, the training data of a distilled vocoder.

A dump is a folder with one folder for each set, `train` and `valid`, and in each

    manifest.yaml   the vocoder, the mel settings, the recordings; written last
    mel.scp         utterance and path of an array (T, n_mels): the student's input
    f0.scp          utterance and path of an array (T,): F0 of the waveform in Hz, or 0
    wave.scp        utterance and path of a WAV file, of T * hop length samples

Without a vocoder, the waveforms are the recordings.
"""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from espnet_distill.data.mel_spec import LABELS, MelSpec
from espnet_distill.errors import ConfigError, summarize
from espnet_distill.teachers.dump_writer import BEGUN
from espnet_distill.teachers.dumped import MANIFEST, begin
from espnet_distill.utils.checksums import checksum, checksum_of_listed
from espnet_distill.utils.files import read_table, read_text, read_yaml, write_text
from espnet_distill.utils.locking import locked
from espnet_distill.utils.utterance_files import ARRAY, WAVE, UtteranceFiles
from espnet_distill.utils.whole_files import is_whole_array, is_whole_wav
from espnet_distill.vocoders.build import is_none
from espnet_distill.vocoders.checkpoint_formats import files_of

REMEDY = "remove the folder and dump the waves again"


class WaveFiles(UtteranceFiles):
    """Arrays and WAV files of one set."""

    def __init__(self, folder: Path):
        kinds = {"mel": ARRAY, "f0": ARRAY, "wave": WAVE}
        super().__init__(folder, kinds, "run the dump again")

    def begin(self, record: dict) -> None:
        """Write the record of a new dump, or compare it with that of a started one.

        Raises:
            ConfigError: The dump was started with another record.
        """
        others = f"waves of another vocoder, of other mels or recordings; {REMEDY}"
        begin(self.folder / BEGUN, record, others)

    def finish(self, utterances: Iterable[str]) -> None:
        """Write the lists and, last, the manifest.

        Raises:
            ConfigError: Utterances are not dumped; the message names ten.
        """
        with locked(self.folder):
            self.write_lists(utterances)
            write_text(self.folder / MANIFEST, read_text(self.folder / BEGUN))


def record(
    vocoder_file: Path,
    mels: MelSpec,
    f0: list[int | str],
    recordings: Path,
    mel_scp: Path | None,
) -> dict:
    """Return the record of a dump; mels of `mel_scp` replace the recordings'."""
    sources = {"wav.scp": recordings, "mel.scp": mel_scp}
    teacher = {"vocoder_file": str(vocoder_file)}
    if not is_none(vocoder_file):
        kinds = ("vocoder", "config", "stats")  # the last is optional
        for kind, path in zip(kinds, files_of(vocoder_file)):
            teacher[f"{kind}_sha256"] = checksum(path)
    return {
        "teacher": teacher,
        "mels": asdict(mels),
        "f0": f0,
        "data": {
            name: checksum_of_listed(path) for name, path in sources.items() if path
        },
    }


def identity(folder: Path) -> dict:
    """Return the manifest of a finished set without the vocoder's path."""
    manifest = read_yaml(folder / MANIFEST)
    teacher = manifest.get("teacher") or {}
    sums = {key: value for key, value in teacher.items() if key.endswith("_sha256")}
    return manifest | {"teacher": sums}


def is_finished(folder: Path) -> bool:
    """Return True if the dump of a set is complete."""
    return (folder / MANIFEST).is_file()


def require_dump(folder: Path, mels: MelSpec) -> None:
    """Raise a ConfigError unless a set's dump is finished and of these mels."""
    path = folder / MANIFEST
    if not is_finished(folder):
        raise ConfigError(f"{folder}: no finished dump of a vocoder's waves; dump them")
    manifest = read_yaml(path)
    if not isinstance(manifest, dict) or "mels" not in manifest:
        raise ConfigError(f"{path}: is no dump of a vocoder's waves; {REMEDY}")
    if "f0" not in manifest:
        raise ConfigError(f"{path}: lists no F0; {REMEDY}")
    try:
        dumped = MelSpec(**manifest["mels"])
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{path}: mels: {summarize(error)}; {REMEDY}") from error
    different = [
        f"{LABELS[name]} {dumped_value}, but feats_extract_conf.{name} is {value}"
        for name, value, dumped_value in mels.differences(dumped)
    ]
    if different:
        raise ConfigError(f"{path}: made with {'; '.join(different)}; {REMEDY}")
    _require_listed(folder)


def _require_listed(folder: Path) -> None:
    """Raise a ConfigError for the first listed file that is missing or incomplete."""
    kinds = {"mel": is_whole_array, "f0": is_whole_array, "wave": is_whole_wav}
    for name, is_whole in kinds.items():
        for file in map(Path, read_table(folder / f"{name}.scp").values()):
            if not is_whole(file):
                raise ConfigError(f"{file}: is missing or incomplete; {REMEDY}")
