"""``voice.onnx.json``: Piper's keys, and the version of the format."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import ConfigError, suggest, summarize
from .languages import require_language

FORMAT_VERSION = 1
PADDING, BEGIN, END = "_", "^", "$"
SCALES = {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8}
REMEDY = "export the voice again"


@dataclass(frozen=True)
class VoiceConfig:
    """What a runtime has to know of a voice.

    Attributes:
        path: The file.
        sample_rate: In Hz.
        phoneme_type: ``espeak`` or ``text`` if text can be synthesized; ``ids`` if
            phonemes are the tokens of a front end of ESPnet.
        espeak_voice: espeak-ng's language tag, of a voice of type ``espeak``.
        language: A code such as ``de``; None if unknown.
        ids: Ids of each phoneme, of padding, begin and end.
        speakers: Speaker ids by name; empty if there is one speaker.
        scales: ``noise_scale``, ``length_scale`` and ``noise_w``.
        checksums: Bytes and SHA-256 of the voice's files by name, if recorded.
        streaming: Frames of context to either side of a piece, and of a piece; None
            without graphs for it.
        composed: Whether letters may be composed ones of Unicode, as in the training's
            text; clients of Piper's voices send none.
    """

    path: Path
    sample_rate: int
    phoneme_type: str
    espeak_voice: str | None
    language: str | None
    ids: Mapping[str, tuple[int, ...]]
    speakers: Mapping[str, int]
    scales: Mapping[str, float]
    checksums: Mapping[str, tuple[int, str]]
    streaming: tuple[int, int] | None
    composed: bool = False

    def speaker_id(self, name: str | None) -> int:
        """Return the id of a speaker; the first one's if none is named.

        Raises:
            ConfigError: The voice has no such speaker.
        """
        if name is None:
            return min(self.speakers.values(), default=0)
        if not self.speakers:
            raise ConfigError(f"speaker {name!r}: {self.path} has one; name none")
        if name not in self.speakers:
            known = suggest(name, self.speakers)
            raise ConfigError(f"speaker {name!r}: {self.path} has no such one; {known}")
        return self.speakers[name]


def read_config(path: Path) -> VoiceConfig:
    """Read and validate the JSON file of a voice.

    Raises:
        ConfigError: The file is missing or truncated, is of a newer version, or a value
            is not valid.
    """
    values = _Values(path, (), _load(path))
    version = values.get("format_version", int, FORMAT_VERSION)
    if version > FORMAT_VERSION:
        raise ConfigError(
            f"{path}: format_version: {version} is newer than {FORMAT_VERSION}; "
            "upgrade the runtime"
        )
    phoneme_type = values.get("phoneme_type", str, "espeak")
    voice = None
    if phoneme_type == "espeak":
        voice = values.inner("espeak").get("voice", str)
    inference = values.inner("inference")
    return VoiceConfig(
        path,
        values.inner("audio").get("sample_rate", int, least=1),
        phoneme_type,
        voice,
        _language(values, voice),
        _ids(values),
        _speakers(values),
        {name: inference.get(name, float, SCALES[name], least=0) for name in SCALES},
        _checksums(values.inner("files")),
        _streaming(values) if "streaming" in values.content else None,
        values.inner("front_end").content.get("token_type") == "char",
    )


@dataclass(frozen=True)
class _Values:
    """A mapping of the file, with its place for messages."""

    path: Path
    keys: tuple[str, ...]
    content: object

    def __post_init__(self):
        if not isinstance(self.content, dict):
            raise self.error("no mapping")

    def error(self, fault: str, *keys: str) -> ConfigError:
        where = ".".join((*self.keys, *keys))
        return ConfigError(": ".join(filter(None, (f"{self.path}", where, fault))))

    def inner(self, key: str) -> "_Values":
        return _Values(self.path, (*self.keys, key), self.content.get(key, {}))

    def get(self, key: str, kind: type, default=None, least: float = -math.inf):
        """Return a value; raise a ConfigError if it is missing or of another kind."""
        value = self.content.get(key, default)
        if value is None:
            raise self.error(f"missing; {REMEDY}", key)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise self.error(f"{value!r} is no {kind.__name__}; {REMEDY}", key)
        if kind is not str and not (math.isfinite(value) and value >= least):
            raise self.error(f"{value!r} is not valid; {REMEDY}", key)
        return value


def _load(path: Path):
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name the voice's whole folder")
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        fault = f"{path}: cannot be read: {summarize(error)}; copy or {REMEDY}"
        raise ConfigError(fault) from error


def _language(values: _Values, voice: str | None) -> str | None:
    """Return the code of the voice of espeak-ng, of Piper's or of our own key."""
    ours = values.inner("front_end").content.get("language")
    code = voice or ours or values.inner("language").get("code", str, "")
    return require_language(str(code)) if code else None


def _checksums(files: _Values) -> dict[str, tuple[int, str]]:
    entries = {name: files.inner(name) for name in files.content}
    return {
        name: (entry.get("bytes", int, least=0), entry.get("sha256", str))
        for name, entry in entries.items()
    }


def _streaming(values: _Values) -> tuple[int, int]:
    frames = values.inner("streaming")
    return frames.get("context", int, least=0), frames.get("chunk", int, least=1)


def _ids(values: _Values) -> dict[str, tuple[int, ...]]:
    """Return the phonemes' ids, all below the number of symbols."""
    symbols = values.get("num_symbols", int, least=1)
    table = values.inner("phoneme_id_map")
    for phoneme, ids in table.content.items():
        if not isinstance(ids, list) or not all(
            type(one) is int and 0 <= one < symbols for one in ids
        ):
            fault = f"{ids!r}: expected ids below num_symbols, {symbols}; {REMEDY}"
            raise table.error(fault, repr(phoneme))
    for symbol in (PADDING, BEGIN, END):
        if symbol not in table.content:
            raise table.error(f"{symbol!r} is missing; {REMEDY}")
    return {phoneme: tuple(ids) for phoneme, ids in table.content.items()}


def _speakers(values: _Values) -> dict[str, int]:
    """Return the speakers' ids by name; numbers are names where there are no others."""
    count = values.get("num_speakers", int, 1, least=1)
    if count == 1:
        return {}
    named = values.inner("speaker_id_map")
    for name in named.content:
        if named.get(name, int, least=0) >= count:
            raise named.error(f"no id below num_speakers, {count}; {REMEDY}", name)
    return named.content or {str(number): number for number in range(count)}
