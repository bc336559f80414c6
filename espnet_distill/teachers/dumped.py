"""Teachers whose taps were dumped once and are read as data of the training.

A dump is a folder with one folder for each set, `train` and `valid`, and in it one for
each teacher, `teacher`, `teacher2`, …:

    manifest.yaml   the teacher, its data, the taps; written last
    text            the transcriptions of the dumped utterances
    <tap>.scp       utterance and path of an array (T, C), as ESPnet reads it
    <tap>.bytes     utterance and size of that file in bytes
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.objectives.base import Taps
from espnet_distill.utils.checksums import checksum, checksum_of_listed
from espnet_distill.utils.config_values import as_list, as_mapping, as_text, as_whole
from espnet_distill.utils.files import read_table, read_text, read_yaml, write_text
from espnet_distill.utils.locking import locked

MANIFEST = "manifest.yaml"


REMEDY = "run teacher_dump again"


def folder_name(index: int) -> str:
    """Return the name of the teacher with this index, from 0, in dumps and batches."""
    return f"teacher{index + 1 if index else ''}"


def data_name(index: int, tap: str) -> str:
    """Return the name of a tap among the data of a training."""
    return f"{folder_name(index)}_{tap}"


def checksum_of_data(path, kind: str) -> str:
    """Return the checksum of a file, or of the files that a table lists."""
    is_table = kind in ("sound", "npy", "kaldi_ark")
    return checksum_of_listed(Path(path)) if is_table else checksum(path)


def identity(experiment) -> dict:
    """Return the paths and checksums of a teacher's files."""
    teacher = Experiment.of(experiment)
    return {
        "config": str(teacher.config_file),
        "config_sha256": checksum(teacher.config_file),
        "model": str(teacher.checkpoint),
        "model_sha256": checksum(teacher.checkpoint),
    }


def begin(path: Path, record: dict, others: str) -> None:
    """Write the record of a new dump, or compare it with that of a started one.

    Raises:
        ConfigError: The dump was started with another record; `others` describes it.
    """
    text = yaml.safe_dump(record, sort_keys=False)
    with locked(path.parent, wait=True):
        if not path.is_file():
            write_text(path, text)
        elif read_text(path) != text:
            raise ConfigError(f"{path.parent}: holds {others}")


class DumpedTeacher:
    """A teacher whose taps are part of each batch."""

    def __init__(self, folder: Path, index: int, taps: tuple[str, ...]):
        """Read the manifest of the training set; the dump may have more taps."""
        self.index = index
        manifest = read_manifest(folder / "train" / folder_name(index))
        self.config = Path(manifest["teacher"]["config"])
        self.checkpoint = Path(manifest["teacher"]["model"])
        self.identity = manifest["teacher"]
        self.shapes = {tap: manifest["taps"][tap] for tap in taps}

    def __call__(self, batch: dict[str, torch.Tensor]) -> Taps:
        """Return the dumped taps of a batch; mel, pitch and energy in plain units."""
        names = {tap: data_name(self.index, tap) for tap in self.shapes}
        taps = Taps(
            {tap: batch[name] for tap, name in names.items()},
            {tap: batch[f"{name}_lengths"] for tap, name in names.items()},
        )
        if "attention" in taps.tensors:
            _unflatten_attention(taps, batch["text_lengths"] + 1)  # end of sentence
        return taps

    def probe(self) -> Taps:
        """Return zeros in the shapes of the teacher's taps of one dummy sentence."""
        tensors = {tap: torch.zeros(shape) for tap, shape in self.shapes.items()}
        lengths = {tap: torch.tensor([x.size(1)]) for tap, x in tensors.items()}
        return Taps(tensors, lengths)


def _unflatten_attention(taps: Taps, tokens: torch.Tensor) -> None:
    """Restore (B, steps, tokens) from rows that were written as (steps * tokens)."""
    flat = taps["attention"]
    steps = torch.div(taps.lengths["attention"], tokens, rounding_mode="floor")
    attention = flat.new_zeros(len(flat), steps.max(), tokens.max())
    for row, values, n, m in zip(attention, flat, steps, tokens):
        row[:n, :m] = values[: n * m].view(n, m)
    taps.tensors["attention"] = attention
    taps.lengths |= {"attention": steps, "attention_tokens": tokens}


@dataclass
class DumpedSet:
    """One set of a dump and the teacher and taps that a training expects of it."""

    folder: Path
    experiment: str
    taps: tuple[str, ...]

    def require_fit(self, text: Path, others: dict[str, tuple[str, str]]) -> None:
        """Raise a ConfigError unless the dump is complete and of this teacher and data.

        Args:
            text: The transcriptions of the training, a subset of the dump's.
            others: Path and type of the teacher's other inputs, by name.
        """
        self.require_teacher()
        self._require_text(read_table(text), text)
        data = read_manifest(self.folder).get("data") or {}
        for name, (path, kind) in others.items():
            if name in data and data[name] != checksum_of_data(path, kind):
                raise ConfigError(
                    f"{self.folder}: made with another {name} than {path}; {REMEDY}"
                )
        self.require_whole()

    @property
    def is_finished(self) -> bool:
        """Whether the dump of this set is complete."""
        return (self.folder / MANIFEST).is_file()

    def require_teacher(self) -> None:
        """Raise a ConfigError unless the dump is of this teacher and has all taps."""
        manifest = read_manifest(self.folder)
        self._require_teacher(manifest["teacher"])
        for tap in self.taps:
            if tap not in manifest["taps"]:
                raise ConfigError(
                    f"{self.folder}: no tap {tap!r} in this dump, only "
                    f"{', '.join(manifest['taps'])}; {REMEDY}"
                )

    def require_whole(self) -> None:
        """Raise a ConfigError unless every file exists and has the recorded size."""
        for tap in self.taps:
            self._require_whole(tap)

    def _require_teacher(self, dumped: dict) -> None:
        teacher = identity(self.experiment)
        for kind in ("config", "model"):
            if teacher[f"{kind}_sha256"] != dumped.get(f"{kind}_sha256"):
                raise ConfigError(
                    f"{self.folder}: dumped from another teacher, {dumped[kind]}; "
                    f"the {kind} of {self.experiment} differs; {REMEDY}"
                )

    def _require_text(self, texts: dict[str, str], path: Path) -> None:
        dumped = read_table(self.folder / "text")
        missing = [utterance for utterance in texts if utterance not in dumped]
        if missing:
            raise ConfigError(
                f"{self.folder}: lacks {len(missing)} of the {len(texts)} utterances "
                f"of {path}: {', '.join(missing[:10])}; {REMEDY}"
            )
        for utterance, text in texts.items():
            if text != dumped[utterance]:
                raise ConfigError(
                    f"{self.folder}: the dump has {utterance} with the text "
                    f"{dumped[utterance]!r}, {path} has {text!r}; {REMEDY}"
                )

    def _require_whole(self, tap: str) -> None:
        sizes = read_table(self.folder / f"{tap}.bytes")
        for utterance, path in read_table(self.folder / f"{tap}.scp").items():
            file = Path(path)
            size = file.stat().st_size if file.is_file() else 0
            if str(size) != sizes.get(utterance):
                raise ConfigError(
                    f"{file}: {size} bytes where {sizes.get(utterance)} were written; "
                    f"remove it and {REMEDY}"
                )


def read_manifest(folder: Path) -> dict:
    """Return the manifest of a dump; raise a ConfigError without a valid one."""
    if not (folder / MANIFEST).is_file():
        raise ConfigError(f"{folder}: no finished teacher dump; {REMEDY}")
    manifest = read_yaml(folder / MANIFEST)
    if not _is_manifest(manifest):
        raise ConfigError(f"{folder / MANIFEST}: is no teacher dump's; {REMEDY}")
    return manifest


def _is_manifest(manifest) -> bool:
    """Return True if a manifest has the keys that `begin` and `finish_dump` write."""
    try:
        as_mapping(manifest, MANIFEST)
        teacher = as_mapping(manifest["teacher"], "teacher")
        for key in ("config", "model"):
            as_text(teacher[key], key)
        as_mapping(manifest.get("data") or {}, "data")
        for tap, shape in as_mapping(manifest["taps"], "taps").items():
            as_list(shape, tap, of=partial(as_whole, least=0))
    except (ConfigError, KeyError):
        return False
    return True
