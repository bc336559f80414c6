"""Score speech against its text and recording, and on its own."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed

from espnet_distill.data.audio import read_audio, read_audio_at
from espnet_distill.data.utterances import Utterance
from espnet_distill.evaluation.cache import DiskCache
from espnet_distill.evaluation.metrics.asr import Whisper
from espnet_distill.evaluation.metrics.asr_espnet import EspnetRecognizer
from espnet_distill.evaluation.metrics.fidelity import Fidelity, Recording
from espnet_distill.evaluation.metrics.mos import RATE, dnsmos, nisqa, utmos
from espnet_distill.evaluation.metrics.registry import made_by
from espnet_distill.evaluation.metrics.speaker import (
    EspnetSpeaker,
    Resemblyzer,
    similarity,
)
from espnet_distill.evaluation.metrics.wer import Errors, character_errors, word_errors
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.files import utterance_file, write_wav, written_whole
from espnet_distill.utils.parent_watch import end_with_parent
from espnet_distill.utils.progress import progress_bar
from espnet_distill.utils.validation import require_finite

REFERENCE = "reference"


@dataclass(frozen=True)
class ForcedErrors:
    """Mean absolute errors of one utterance, spoken at the recording's durations.

    ``mel`` is that of the mel, in the normalised space that the model was trained in;
    ``duration`` that of the durations in ms a token, None for a model without.
    """

    mel: float
    duration: float | None


@dataclass(frozen=True)
class Score:
    """What was found in one file.

    None for what was not measured; ``fidelity`` is None for the reference itself,
    ``forced`` for what was not run with given durations.
    """

    utt: str
    row: str
    words: Errors | None = None
    dnsmos: float | None = None
    fidelity: Fidelity | None = None
    hypothesis: str | None = None
    forced: ForcedErrors | None = None
    characters: Errors | None = None
    utmos: float | None = None
    nisqa: float | None = None
    similarity: float | None = None


class Speech:
    """A file of speech; what is asked of it is read once."""

    def __init__(self, path: Path):
        self.path = path

    @cached_property
    def digest(self) -> str:
        return checksum(self.path)

    @cached_property
    def wave(self) -> np.ndarray:
        """The waveform (samples,) at 16 kHz."""
        return read_audio_at(self.path, RATE)


MOS_MODELS: dict[str, Callable[[Speech], float]] = {
    "dnsmos": lambda speech: dnsmos(speech.wave),
    "utmos": lambda speech: utmos(speech.wave),
    "nisqa": lambda speech: nisqa(*read_audio(speech.path)),
}


@dataclass(frozen=True)
class Scorer:
    """What is asked of each file.

    Attributes:
        measures: Names in ``measures.MEASURES``.
        recognizer: What the words are heard by.
        speaker: What voices are told apart by, if they are.
        disk_cache: Where results are kept; what it remembers is not measured again.
    """

    measures: tuple[str, ...]
    recognizer: Whisper | EspnetRecognizer
    speaker: EspnetSpeaker | Resemblyzer | None
    disk_cache: DiskCache

    def __call__(self, utt: str, text: str, wavs: dict[str, Path]) -> list[Score]:
        """Score what was said of one text, by row."""
        files = {row: Speech(wav) for row, wav in wavs.items()}
        recording = Recording(wavs[REFERENCE])
        return [
            Score(
                utt,
                row,
                **self._opinions(speech),
                **self._heard(speech, text),
                **self._compared(speech, recording, files[REFERENCE]),
            )
            for row, speech in files.items()
        ]

    def _opinions(self, speech: Speech) -> dict[str, float]:
        return {
            name: self._once(
                lambda: _finite(opinion(speech), name, speech.path), name, speech.digest
            )
            for name, opinion in MOS_MODELS.items()
            if name in self.measures
        }

    def _heard(self, speech: Speech, text: str) -> dict:
        if "wer" not in self.measures:
            return {}
        heard = self.disk_cache(
            lambda: _loaded(self.recognizer)(speech.wave),
            "wer",
            *self.recognizer.key,
            speech.digest,
        )
        return {
            "words": word_errors(text, heard),
            "characters": character_errors(text, heard),
            "hypothesis": heard,
        }

    def _compared(self, speech: Speech, recording: Recording, other: Speech) -> dict:
        if speech is other:
            return {}
        distortion, errors = None, (None, None)
        both = other.digest, speech.digest
        if "mcd" in self.measures:
            distortion = self._once(
                lambda: _finite(recording.mcd(speech.path), "mcd", speech.path),
                "mcd",
                *both,
            )
        if "f0" in self.measures:
            errors = self._once(lambda: recording.f0_errors(speech.path), "f0", *both)
        found = {"fidelity": Fidelity(distortion, *errors)}
        if self.speaker:
            voices = self._voice(speech), self._voice(other)
            found["similarity"] = similarity(*voices)
        return found

    def _voice(self, speech: Speech) -> list[float]:
        return self.disk_cache(
            lambda: _loaded(self.speaker)(speech.wave),
            "speaker",
            *self.speaker.key,
            speech.digest,
        )

    def _once(self, compute: Callable, measure: str, *key: str):
        return self.disk_cache(compute, measure, made_by(measure), *key)


def references(utterances: dict[str, Utterance]) -> dict[str, dict[str, Path]]:
    """Return the files of the row "reference", by row and utterance."""
    return {REFERENCE: {utt: one.reference for utt, one in utterances.items()}}


def score_all(
    spoken: dict[str, dict[str, Path]],
    utterances: dict[str, Utterance],
    forced: dict[str, dict[str, ForcedErrors]],
    asked: Scorer,
    out: Path,
) -> list[Score]:
    """Score the reference and what was spoken, copied into ``out`` to listen to.

    Args:
        spoken: Files by row and utterance, without the row "reference".
        utterances: What was to be said, and its recordings.
        forced: By row and utterance; goes into the scores.
        asked: What is asked of each file.
        out: The copies go to its folder wav.
    """
    wavs = copy_speech(out / "wav", references(utterances) | spoken)
    texts = {utt: one.text for utt, one in utterances.items()}
    return score_files(wavs, texts, forced, asked)


def score_files(
    wavs: dict[str, dict[str, Path]],
    texts: dict[str, str],
    forced: dict[str, dict[str, ForcedErrors]],
    asked: Scorer,
) -> list[Score]:
    """Score files ``wavs[row][utt]``, of which the row "reference" is human speech.

    One process a core, an utterance of all rows at a time.

    Args:
        wavs: The files.
        texts: What was to be said, by utterance.
        forced: By row and utterance; goes into the scores.
        asked: What is asked of each file.
    """
    parent = os.getpid()
    jobs = (
        delayed(_score)(parent, asked, utt, text, {row: wavs[row][utt] for row in wavs})
        for utt, text in texts.items()
    )
    results = Parallel(n_jobs=cpu_count(), return_as="generator")(jobs)
    named = ", ".join(asked.measures)
    progress = progress_bar(results, total=len(texts), desc=named, unit="utt")
    return [
        replace(score, forced=forced.get(score.row, {}).get(score.utt))
        for scores in progress
        for score in scores
    ]


def _finite(value: float, measure: str, path: Path) -> float:
    """Return what was measured, or raise a ConfigError if it is NaN or infinite."""
    require_finite({measure: value}, str(path), "decode the utterance again")
    return value


def _score(
    parent: int, asked: Scorer, utt: str, text: str, wavs: dict[str, Path]
) -> list[Score]:
    """Score in a process that does not outlive its parent, which waits for it."""
    end_with_parent(parent)
    return asked(utt, text, wavs)


@cache
def _loaded(model) -> Callable[[np.ndarray], object]:
    return model.load()


def copy_speech(
    folder: Path, sources: dict[str, dict[str, Path]]
) -> dict[str, dict[str, Path]]:
    """Copy ``sources[row][utt]`` to ``folder/<row>/<utt>.wav``, 16 bits a sample.

    Samples above full scale are clipped. Returns the copies, by row and utterance.
    """
    return {
        row: {
            utt: _copy(wav, utterance_file(folder / row, utt, ".wav"))
            for utt, wav in wavs.items()
        }
        for row, wavs in sources.items()
    }


def require_speech(sources: dict[str, dict[str, Path]]) -> None:
    """Raise a ConfigError if a file of ``sources[row][utt]`` cannot be used."""
    for wavs in sources.values():
        for wav in wavs.values():
            read_audio(wav)


def _copy(source: Path, target: Path) -> Path:
    wave, rate = read_audio(source)
    with written_whole(target, flush=False) as beside:
        write_wav(beside, wave, rate)
    return target
