"""Readers for the metadata of corpora: the text of each recording.

Files may begin with a byte order mark, end lines with LF or CRLF and have blank lines.
Whitespace within a text, line separators of Unicode included, becomes one space.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.data.audio import MOST_FAULTS, require_audio
from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.utils.files import read_text, require_file_name

AUDIO = {
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc"),
    *(".au", ".caf", ".nist", ".rf64", ".sph", ".w64"),
}


@dataclass(frozen=True)
class Line:
    """An utterance's id and text; ``where`` is the file and line, for messages."""

    utterance: str
    text: str
    where: str


@dataclass(frozen=True)
class Clip:
    """A recording and its text."""

    utterance: str
    audio: Path
    text: str


def read_clips(corpus: Path, wavs: Path | None = None) -> list[Clip]:
    """Read a corpus, sorted by id as ``LC_ALL=C sort`` does.

    Args:
        corpus: A file of lines ``id|text`` or ``id|text|normalized text``, or a folder
            in LJSpeech's layout (that file as ``metadata.csv``, and ``wavs``) or that of
            takes (``data`` with ``<id>_<time>.wav`` and ``.txt``, of which the last take
            is used).
        wavs: The folder of the recordings; None is ``wavs`` beside the file.

    Raises:
        ConfigError: The layout is another, or lines, ids, texts or recordings are
            invalid; the first ten errors are given.
    """
    metadata = corpus / "metadata.csv" if corpus.is_dir() else corpus
    if metadata.is_file():
        clips = _clips_of_metadata(metadata, wavs or metadata.parent / "wavs")
    elif not corpus.is_dir():
        raise ConfigError(f"{corpus}: no such file or folder")
    elif wavs is None and (corpus / "data").is_dir():
        clips = _clips_of_takes(corpus / "data")
    else:
        raise ConfigError(f"{corpus}: has neither metadata.csv nor data/")
    if not clips:
        raise ConfigError(f"{corpus}: lists no recordings")
    with _FirstFaults() as faults:
        for clip in clips:
            faults.check(require_audio, clip.audio, clip.utterance)
    return sorted(clips, key=lambda clip: clip.utterance)


def read_transcription(path: Path) -> list[Line]:
    """Read lines ``<s> text </s> (id)`` of CMU Sphinx, the marks optional."""
    form = r"(?:<s>)?(?P<text>.*?)(?:</s>)?\s*\((?P<id>[^()]*)\)"
    return _checked(_matches(path, form))


def read_prompts(path: Path) -> list[Line]:
    """Read lines ``id text``, Kaldi's format."""
    return _checked(_matches(path, r"(?P<id>\S+)(?P<text>.*)"))


def read_transcript(path: Path) -> list[Line]:
    """Read lines ``id:text``, JSUT's format."""
    return _checked(_matches(path, r"(?P<id>[^:]*):(?P<text>.*)"))


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (file and line number, line) of each nonblank line of a text file."""
    text = read_text(path)
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path}: line {number}", line


class _FirstFaults(ErrorCollector):
    """An ErrorCollector that raises after ten errors."""

    def check(self, *arguments, **options):
        result = super().check(*arguments, **options)
        if len(self.lines) >= MOST_FAULTS:
            self.require_none()
        return result


def _read_metadata(path: Path) -> Iterator[Line]:
    """Yield lines ``id|text`` or ``id|text|normalized text``, with the last field.

    Raises:
        ConfigError: A line has another number of fields, or the second ones are names
            of speakers.
    """
    middles = []
    for where, line in lines_of(path):
        fields = line.split("|")
        if len(fields) not in (2, 3):
            raise ConfigError(
                f"{where}: has {len(fields)} fields, expected id|text or "
                "id|text|normalized text"
            )
        middles.append(fields[1].strip() if len(fields) == 3 else "")
        yield Line(fields[0].strip(), _in_one_line(fields[-1]), where)
    _require_no_speakers(middles, path)


def _require_no_speakers(middles: list[str], path: Path) -> None:
    """Raise a ConfigError if the second fields are a few single words."""
    names = sorted(set(middles))
    repeat = 1 < len(names) <= len(middles) / 2
    if repeat and all(len(name.split()) == 1 for name in names):
        raise ConfigError(
            f"{path}: its second field seems to be a speaker ({', '.join(names[:3])}); "
            "write the lines of one speaker as id|text"
        )


def _matches(path: Path, form: str) -> Iterator[Line]:
    for where, line in lines_of(path):
        match = re.fullmatch(form, line.strip())
        if not match:
            raise ConfigError(f"{where}: {line.strip()[:40]!r} has no id")
        yield Line(match["id"].strip(), _in_one_line(match["text"]), where)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _checked(lines: Iterable[Line]) -> list[Line]:
    lines, seen = list(lines), {}
    with _FirstFaults() as faults:
        for line in lines:
            faults.check(_require_id, line.utterance, where=f"{line.where}: ")
            faults.check(_require_text, line.text, where=f"{line.where}: ")
            faults.check(_require_new, line, seen)
            seen.setdefault(line.utterance, line)
    return lines


def _require_id(utterance: str) -> None:
    if not utterance or utterance.split() != [utterance]:
        raise ConfigError(
            f"id {utterance!r}: expected one word; rename the recording, too"
        )
    if "\\" in utterance or utterance.startswith("."):
        raise ConfigError(
            f"id {utterance!r}: is no file name; use ids without \\ and leading dots"
        )
    require_file_name(utterance, "id")


def _require_text(text: str) -> None:
    if not text:
        raise ConfigError("has no text; add it, or remove the line")
    if controls := [char for char in text if unicodedata.category(char) == "Cc"]:
        raise ConfigError(f"its text has the control character {controls[0]!r}")


def _require_new(line: Line, seen: dict[str, Line]) -> None:
    if line.utterance in seen:
        raise ConfigError(
            f"{line.where}: id {line.utterance!r} repeats the id of "
            f"{seen[line.utterance].where}; make ids unique"
        )


def _clips_of_metadata(metadata: Path, wavs: Path) -> list[Clip]:
    recordings = _recordings_in(wavs)
    lines = _checked(
        Line(_without_suffix(line.utterance), line.text, line.where)
        for line in _read_metadata(metadata)
    )
    if lines and not recordings:
        raise ConfigError(f"{wavs}: has no recordings (WAV, FLAC, …)")
    with _FirstFaults() as faults:
        return [
            Clip(line.utterance, audio, line.text)
            for line in lines
            for audio in [faults.check(_recording_of, line, recordings, wavs)]
        ]


def _without_suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return stem if f"{dot}{suffix}".lower() in AUDIO else name


def _recordings_in(folder: Path) -> dict[str, list[Path]]:
    """Return the audio files in a folder: name without the suffix → paths."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; put the recordings there")
    recordings: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in AUDIO:
            recordings.setdefault(path.stem, []).append(path)
    return recordings


def _recording_of(line: Line, recordings: dict[str, list[Path]], folder: Path) -> Path:
    paths = recordings.get(line.utterance, [])
    if len(paths) != 1:
        names = ", ".join(path.name for path in paths) or "none"
        raise ConfigError(
            f"{line.where}: expected one recording of {line.utterance!r} in {folder}, "
            f"found {names}"
        )
    return paths[0]


def _clips_of_takes(folder: Path) -> list[Clip]:
    last = {}
    for transcript in sorted(folder.glob("*.txt")):
        last[transcript.stem.rpartition("_")[0]] = transcript
    lines = [
        Line(name, _in_one_line(read_text(path)), str(path))
        for name, path in last.items()
    ]
    return [
        Clip(line.utterance, last[line.utterance].with_suffix(".wav"), line.text)
        for line in _checked(lines)
    ]
