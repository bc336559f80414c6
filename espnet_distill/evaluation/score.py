"""Score synthesized speech: word errors, MOS, and distances to the recording."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from espnet_distill.data.audio import read_audio, read_audio_at
from espnet_distill.data.utterances import Utterance
from espnet_distill.evaluation.cache import DiskCache
from espnet_distill.evaluation.metrics import RATE
from espnet_distill.evaluation.metrics.fidelity import Fidelity, Recording
from espnet_distill.evaluation.metrics.mos import distillmos, dnsmos, nisqa, utmos
from espnet_distill.evaluation.metrics.per import phoneme_errors, recognize_phonemes
from espnet_distill.evaluation.metrics.recognizers import AsrModel
from espnet_distill.evaluation.metrics.registry import package_of
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
    """Mean absolute errors of one teacher-forced utterance.

    Attributes:
        mel: Error of the mel, normalized as in training.
        duration: Error of the durations in ms per token; None for a model without them.
    """

    mel: float
    duration: float | None


@dataclass(frozen=True)
class Score:
    """Scores of one file; None for metrics that were not computed.

    ``second_words``, ``second_characters`` and ``second_hypothesis`` are those of the
    second recognizer.
    ``fidelity`` is None for the reference, ``forced`` for utterances without
    teacher-forced errors.
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
    dnsmos_p808: float | None = None
    distillmos: float | None = None
    second_words: Errors | None = None
    second_characters: Errors | None = None
    second_hypothesis: str | None = None
    phonemes: Errors | None = None


class Speech:
    """An audio file whose checksum, waveform and DNSMOS are computed once."""

    def __init__(self, path: Path):
        self.path = path

    @cached_property
    def checksum(self) -> str:
        return checksum(self.path)

    @cached_property
    def wave(self) -> np.ndarray:
        """The waveform (samples,) at 16 kHz."""
        return read_audio_at(self.path, RATE)

    @cached_property
    def dnsmos(self) -> dict[str, float]:
        """DNSMOS P.835 and P.808, by metric."""
        return dnsmos(self.wave)


MOS_MODELS: dict[str, Callable[[Speech], float]] = {
    "dnsmos": lambda speech: speech.dnsmos["dnsmos"],
    "dnsmos_p808": lambda speech: speech.dnsmos["dnsmos_p808"],
    "distillmos": lambda speech: distillmos(speech.wave),
    "utmos": lambda speech: utmos(speech.wave),
    "nisqa": lambda speech: nisqa(*read_audio(speech.path)),
}


@dataclass(frozen=True)
class Scorer:
    """Metrics to compute for each file.

    Attributes:
        metrics: Names in ``metrics.registry.METRICS``.
        recognizers: One or two ASR models for word and character errors.
        speaker: Speaker embedding model; None to omit the similarity.
        disk_cache: Cache of results by file content, metric and version.
        language: Language of the texts; None without word errors.
    """

    metrics: tuple[str, ...]
    recognizers: tuple[AsrModel, ...]
    speaker: EspnetSpeaker | Resemblyzer | None
    disk_cache: DiskCache
    language: str | None = "en"

    def __call__(self, utt: str, text: str, wavs: dict[str, Path]) -> list[Score]:
        """Score the files of one utterance, by row."""
        files = {row: Speech(wav) for row, wav in wavs.items()}
        recording = Recording(wavs[REFERENCE])
        return [
            Score(
                utt,
                row,
                **self._mos_scores(speech),
                **self._recognition_errors(speech, text),
                **self._phoneme_errors(speech, text),
                **self._reference_distances(speech, recording, files[REFERENCE]),
            )
            for row, speech in files.items()
        ]

    def _mos_scores(self, speech: Speech) -> dict[str, float]:
        return {
            name: self._cached(
                lambda: _finite(predict(speech), name, speech.path),
                name,
                speech.checksum,
            )
            for name, predict in MOS_MODELS.items()
            if name in self.metrics
        }

    def _recognition_errors(self, speech: Speech, text: str) -> dict:
        if "wer" not in self.metrics:
            return {}
        scores = {}
        for prefix, recognizer in zip(("", "second_"), self.recognizers):
            hypothesis = self.disk_cache(
                lambda: _load_model(recognizer)(speech.wave),
                "wer",
                *recognizer.key,
                speech.checksum,
            )
            errors = {
                "words": word_errors(text, hypothesis, self.language),
                "characters": character_errors(text, hypothesis, self.language),
                "hypothesis": hypothesis,
            }
            scores |= {prefix + name: value for name, value in errors.items()}
        return scores

    def _phoneme_errors(self, speech: Speech, text: str) -> dict[str, Errors]:
        if "per" not in self.metrics:
            return {}
        phonemes = self._cached(
            lambda: recognize_phonemes(speech.wave), "per", speech.checksum
        )
        return {"phonemes": phoneme_errors(text, phonemes)}

    def _reference_distances(
        self, speech: Speech, recording: Recording, reference: Speech
    ) -> dict:
        if speech is reference:
            return {}
        distortion, errors = None, (None, None)
        checksums = reference.checksum, speech.checksum
        if "mcd" in self.metrics:
            distortion = self._cached(
                lambda: _finite(recording.mcd(speech.path), "mcd", speech.path),
                "mcd",
                *checksums,
            )
        if "f0" in self.metrics:
            errors = self._cached(
                lambda: recording.f0_errors(speech.path), "f0", *checksums
            )
        distances = {"fidelity": Fidelity(distortion, *errors)}
        if self.speaker:
            distances["similarity"] = similarity(
                self._embedding(speech), self._embedding(reference)
            )
        return distances

    def _embedding(self, speech: Speech) -> list[float]:
        return self.disk_cache(
            lambda: _load_model(self.speaker)(speech.wave),
            "speaker",
            *self.speaker.key,
            speech.checksum,
        )

    def _cached(self, compute: Callable, metric: str, *key: str):
        return self.disk_cache(compute, metric, package_of(metric), *key)


def references(utterances: dict[str, Utterance]) -> dict[str, dict[str, Path]]:
    """Return the recordings as the row "reference", by row and utterance."""
    return {REFERENCE: {utt: one.reference for utt, one in utterances.items()}}


def score_all(
    system_wavs: dict[str, dict[str, Path]],
    utterances: dict[str, Utterance],
    forced: dict[str, dict[str, ForcedErrors]],
    scorer: Scorer,
    out: Path,
) -> list[Score]:
    """Copy reference and synthesized speech into ``out`` and score the copies.

    Args:
        system_wavs: Files by row and utterance, without the row "reference".
        utterances: Texts and recordings.
        forced: Teacher-forced errors by row and utterance, added to the scores.
        scorer: The metrics to compute.
        out: Output folder; the copies go into its folder wav.
    """
    wavs = copy_speech(out / "wav", references(utterances) | system_wavs)
    texts = {utt: one.text for utt, one in utterances.items()}
    return score_files(wavs, texts, forced, scorer)


def score_files(
    wavs: dict[str, dict[str, Path]],
    texts: dict[str, str],
    forced: dict[str, dict[str, ForcedErrors]],
    scorer: Scorer,
) -> list[Score]:
    """Score files ``wavs[row][utt]``; the row "reference" holds the recordings.

    Runs one process a core; a job is one utterance of all rows. If a process ends
    unexpectedly, as where memory is short, the remaining utterances are scored here.

    Args:
        wavs: The files.
        texts: Texts by utterance.
        forced: Teacher-forced errors by row and utterance, added to the scores.
        scorer: The metrics to compute.
    """
    parent, folder = os.getpid(), os.getcwd()
    jobs = [
        delayed(_score)(
            parent, folder, scorer, utt, text, {row: wavs[row][utt] for row in wavs}
        )
        for utt, text in texts.items()
    ]
    results = _in_processes(jobs)
    description = ", ".join(scorer.metrics)
    progress = progress_bar(results, total=len(texts), desc=description, unit="utt")
    return [
        replace(score, forced=forced.get(score.row, {}).get(score.utt))
        for scores in progress
        for score in scores
    ]


def _in_processes(jobs: list) -> Iterator[list[Score]]:
    """Run jobs in parallel; if a process ends unexpectedly, run the others here."""
    done = 0
    try:
        for scores in Parallel(n_jobs=cpu_count(), return_as="generator")(jobs):
            done += 1
            yield scores
    except TerminatedWorkerError as error:
        logging.warning("%s Scoring goes on in one process.", error)
        yield from (function(*args, **kwargs) for function, args, kwargs in jobs[done:])


def _finite(value: float, metric: str, path: Path) -> float:
    """Return a value; raise a ConfigError if it is NaN or infinite."""
    require_finite({metric: value}, str(path), "decode the utterance again")
    return value


def _score(
    parent: int, folder: str, scorer: Scorer, utt: str, text: str, wavs: dict[str, Path]
) -> list[Score]:
    """Score in a worker process, in its parent's folder; it ends with the parent.

    joblib keeps the workers of an earlier evaluation, which may have had another folder.
    """
    end_with_parent(parent)
    os.chdir(folder)
    return scorer(utt, text, wavs)


@cache
def _load_model(model) -> Callable[[np.ndarray], object]:
    return model.load()


def copy_speech(
    folder: Path, sources: dict[str, dict[str, Path]]
) -> dict[str, dict[str, Path]]:
    """Copy ``sources[row][utt]`` to ``folder/<row>/<utt>.wav`` as 16-bit PCM.

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
    """Raise a ConfigError if a file of ``sources[row][utt]`` is not usable audio."""
    for wavs in sources.values():
        for wav in wavs.values():
            read_audio(wav)


def _copy(source: Path, target: Path) -> Path:
    wave, rate = read_audio(source)
    with written_whole(target, flush=False) as temporary:
        write_wav(temporary, wave, rate)
    return target
