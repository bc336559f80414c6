"""Front ends: which one a model has, its default cleaner, and text in its form.

A data folder whose ``text`` was prepared by :func:`prepare_folder` has a
``front_end.yaml`` with the language and, where ``text`` holds phonemes, espeak-ng's
voice; the words are in ``words``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from espnet_distill.data.languages import G2P_LANGUAGES, language_of
from espnet_distill.errors import ConfigError, ErrorCollector, suggest
from espnet_distill.experiments.text_frontend import require_package
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.files import read_table, read_yaml, write_text
from espnet_distill.voice.espeak import load_espeak
from espnet_distill.voice.languages import require_language
from espnet_distill.voice.normalization import normalize
from espnet_distill.voice.phonemes import phonemize

CLEANER_LANGUAGES = {
    "tacotron": "en",
    "jaconv": "ja",
    "vietnamese": "vi",
    "korean_cleaner": "ko",
    "whisper_en": "en",
    "whisper_basic": None,
}
ESPEAK_VOICES = {"espeak_ng_english_us_vits": "en-us"}
RECORD, WORDS, TEXT = "front_end.yaml", "words", "text"
GRAPHEMES = ("char", "bpe", "word")


@dataclass(frozen=True)
class FrontEnd:
    """What turns words into a model's tokens.

    Attributes:
        token_type: ESPnet's ``token_type``; None if the model reads token ids.
        g2p: ESPnet's g2p; None if the text is split at spaces.
        cleaner: ESPnet's cleaner; None if there is none.
        language: A code such as ``de``; None if unknown.
        voice: espeak-ng's language tag if data preparation phonemizes the text.
    """

    token_type: str | None = "phn"
    g2p: str | None = None
    cleaner: str | None = None
    language: str | None = None
    voice: str | None = None

    @classmethod
    def of(cls, conf: Mapping, data: Path | None = None) -> "FrontEnd":
        """Return the front end of an experiment's configuration.

        Args:
            conf: The configuration, or options of tts.sh with ``none`` for None.
            data: A data folder of the experiment, for language and voice.
        """
        names = ("token_type", "g2p", "cleaner")
        values = {
            name: None if conf.get(name) in (None, "none") else str(conf[name])
            for name in names
        }
        if values["token_type"] != "phn":
            values["g2p"] = None
        recorded = read_record(data) if data else {}
        voice = recorded.get("voice") if values["g2p"] is None else None
        language = language_of(values["g2p"]) or recorded.get("language")
        return cls(**values, language=language, voice=voice)

    @property
    def name(self) -> str | None:
        """The g2p, espeak-ng's voice, or the token type."""
        return self.g2p or (self.voice and f"espeak-ng {self.voice}") or self.token_type

    def prepare(self, text: str) -> str:
        """Return words as this front end's `Text2Speech` and trainings take them.

        They are normalized where the language is known and no cleaner does it, and
        phonemized where data preparation does that.
        """
        if self.language and not self.cleaner:
            text = normalize(text, self.language)
        return " ".join(phonemize(text, self.voice)) if self.voice else text

    def phonemizing(self) -> "FrontEnd":
        """Return a front end of the same phonemes that needs none of ESPnet's g2ps.

        `phonemize` takes a thirtieth of the time of ESPnet's espeak front end.
        """
        voice = self.voice or ESPEAK_VOICES.get(self.g2p or "")
        return replace(self, g2p=None, voice=voice) if voice else self


def default_cleaner(
    token_type: str | None, g2p: str | None, language: str | None = None
) -> str:
    """Return the cleaner of a new teacher: ``tacotron`` or ``none``.

    ``tacotron`` upper-cases English, after which espeak spells short words; it removes
    letters of other languages. So it is the default of English graphemes and g2p_en
    only.

    Args:
        token_type: ``phn``, ``char``, ``bpe`` or ``word``.
        g2p: ESPnet's g2p, or ``none``.
        language: The language of the text, if known.
    """
    if token_type in GRAPHEMES:
        return "tacotron" if language and require_language(language) == "en" else "none"
    return "tacotron" if str(g2p).startswith("g2p_en") else "none"


def require_front_end(front_end: FrontEnd) -> None:
    """Raise a ConfigError for values that ESPnet lacks, or that contradict another.

    Raises:
        ConfigError: Token type, g2p or cleaner is unknown, a package is missing, or the
            cleaner is for another language than the text.
    """
    with ErrorCollector() as faults:
        known = (*GRAPHEMES, "phn")
        if front_end.token_type and front_end.token_type not in known:
            faults.lines.append(_unknown("token_type", front_end.token_type, known))
        g2ps = ("none", *G2P_LANGUAGES)
        if front_end.g2p and front_end.g2p not in g2ps:
            faults.lines.append(_unknown("g2p", front_end.g2p, g2ps))
        faults.check(require_package, front_end.g2p, where="g2p: ")
        cleaners = ("none", *CLEANER_LANGUAGES)
        if front_end.cleaner and front_end.cleaner not in cleaners:
            faults.lines.append(_unknown("cleaner", front_end.cleaner, cleaners))
        faults.check(require_package, front_end.cleaner, where="cleaner: ")
        cleaned = CLEANER_LANGUAGES.get(front_end.cleaner)
        if cleaned and front_end.language not in (None, cleaned):
            faults.lines.append(
                f"cleaner: {front_end.cleaner} is for {cleaned}, the text is "
                f"{front_end.language} (g2p {front_end.g2p or 'none'}); take none"
            )


def _unknown(key: str, value: str | None, known: Iterable[str]) -> str:
    return f"{key}: ESPnet has no {value}; {suggest(value, known)}"


def read_record(folder: Path) -> dict[str, str]:
    """Return the language, voice and checksum of a prepared data folder, or nothing."""
    path = Path(folder) / RECORD
    if not path.is_file():
        return {}
    record = read_yaml(path)
    if not isinstance(record, dict) or not isinstance(record.get("language"), str):
        raise ConfigError(f"{path}: language: missing; run prepare-text again")
    return {name: str(value) for name, value in record.items() if value is not None}


def words_of(folder: Path) -> Path:
    """Return the file with the words of a data folder: ``words``, else ``text``."""
    words = Path(folder) / WORDS
    return words if words.is_file() else Path(folder) / TEXT


def prepare_folder(folder: Path, language: str, voice: str | None = None) -> int:
    """Normalize the ``text`` of a data folder and, with a voice, phonemize it.

    A folder that was prepared is prepared anew from its words.

    Args:
        folder: A data folder of ESPnet.
        language: The language of the words.
        voice: espeak-ng's language tag; then ``words`` gets the words.

    Returns:
        The number of utterances.

    Raises:
        ConfigError: Utterances cannot be phonemized; the first ten are named.
    """
    if voice:
        load_espeak().require_voice(voice)
    record = read_record(folder)
    text = folder / TEXT
    is_prepared = record.get("text") == (checksum(text) if text.is_file() else None)
    source = read_table(words_of(folder) if is_prepared and record else text)
    front_end = FrontEnd(language=require_language(language))
    words = prepare_lines(source, front_end, str(text))
    lines = words
    if voice:
        phonemizing = replace(front_end, voice=voice)
        lines = prepare_lines(words, phonemizing, str(text))
        write_text(folder / WORDS, _table(words))
    elif (folder / WORDS).is_file():
        (folder / WORDS).unlink()
    write_text(text, _table(lines))
    record_language(folder, front_end.language, voice=voice, text=checksum(text))
    return len(lines)


def record_language(folder: Path, language: str, **more: str | None) -> None:
    """Record the language of a data folder, and more that is not None."""
    entries = {"language": require_language(language), **more}
    write_text(folder / RECORD, "".join(_entries(entries)))


def prepare_file(source: Path, target: Path, front_end: FrontEnd) -> int:
    """Write a text of ``<utterance> <words>`` lines in a front end's form, sorted."""
    if front_end.voice:
        load_espeak().require_voice(front_end.voice)
    lines = prepare_lines(read_table(source), front_end, str(source))
    write_text(target, _table(dict(sorted(lines.items()))))
    return len(lines)


def prepare_lines(
    lines: Mapping[str, str], front_end: FrontEnd, where: str
) -> dict[str, str]:
    """Return utterances in a front end's form.

    Raises:
        ConfigError: Utterances cannot be phonemized, or have no words; the first ten
            are named.
    """
    faults, prepared = ErrorCollector(), {}
    for utterance, words in lines.items():
        place = f"{where}: {utterance}: "
        text = faults.check(front_end.prepare, words, where=place)
        if text == "":
            faults.lines.append(f"{place}{words!r}: has no words; remove it")
        prepared[utterance] = text
        if len(faults.lines) >= 10:
            break
    faults.require_none()
    return prepared


def _table(lines: Mapping[str, str]) -> str:
    return "".join(f"{utterance} {text}\n" for utterance, text in lines.items())


def _entries(entries: Mapping[str, str | None]) -> Iterable[str]:
    """Yield lines of YAML; quotes keep `no`, Norwegian, a text."""
    return (f"{name}: '{value}'\n" for name, value in entries.items() if value)
