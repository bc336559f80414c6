"""Judge speech against its text and the recording, and by itself."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import librosa
import numpy as np
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

from espnet_distill.evaluation.asr import Recognizer
from espnet_distill.evaluation.fidelity import Fidelity, Recording
from espnet_distill.evaluation.measures import made_by
from espnet_distill.evaluation.memo import Memo, digest
from espnet_distill.evaluation.mos import RATE, dnsmos
from espnet_distill.evaluation.transcripts import (
    Errors,
    character_errors,
    word_errors,
)

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
    words: Errors | None
    dnsmos: float | None
    fidelity: Fidelity | None
    hypothesis: str | None
    forced: ForcedErrors | None = None
    characters: Errors | None = None


def judge(
    wavs: dict[str, dict[str, Path]],
    texts: dict[str, str],
    asr_model: str | None,
    forced: dict[str, dict[str, ForcedErrors]],
    measures: Collection[str],
    memo: Memo,
) -> list[Score]:
    """Score files ``wavs[row][utt]``, of which the row "reference" is human speech.

    One process a core, an utterance of all rows at a time; what ``memo`` remembers of
    the same files is not measured again.

    Args:
        wavs: The files.
        texts: What was to be said, by utterance.
        asr_model: A folder or a name for faster-whisper, None for the default.
        forced: By row and utterance; goes into the scores.
        measures: Names in ``measures.MEASURES``.
        memo: Where results are kept.
    """
    jobs = (
        delayed(_judge_utterance)(
            utt, text, {row: wavs[row][utt] for row in wavs}, asr_model, measures, memo
        )
        for utt, text in texts.items()
    )
    results = Parallel(n_jobs=cpu_count(), return_as="generator")(jobs)
    progress = tqdm(results, total=len(texts), desc=", ".join(measures), unit="utt")
    return [
        replace(score, forced=forced.get(score.row, {}).get(score.utt))
        for scores in progress
        for score in scores
    ]


def _judge_utterance(
    utt: str,
    text: str,
    wavs: dict[str, Path],
    asr_model: str | None,
    measures: Collection[str],
    memo: Memo,
) -> list[Score]:
    by = {measure: made_by(measure) for measure in measures}
    recording, recorded = Recording(wavs[REFERENCE]), digest(wavs[REFERENCE])
    scores = []
    for row, wav in wavs.items():
        own = digest(wav)
        words = characters = hypothesis = mos = fidelity = None
        if "wer" in measures:
            key = by["wer"], str(asr_model), own
            hypothesis = memo(lambda: _hear(wav, asr_model), "wer", *key)
            words = word_errors(text, hypothesis)
            characters = character_errors(text, hypothesis)
        if "dnsmos" in measures:
            mos = memo(lambda: dnsmos(_load(wav)), "dnsmos", by["dnsmos"], own)
        if row != REFERENCE:
            distortion, errors = None, (None, None)
            if "mcd" in measures:
                key = by["mcd"], recorded, own
                distortion = memo(lambda: recording.mcd(wav), "mcd", *key)
            if "f0" in measures:
                key = by["f0"], recorded, own
                errors = memo(lambda: recording.f0_errors(wav), "f0", *key)
            fidelity = Fidelity(distortion, *errors)
        scores.append(
            Score(utt, row, words, mos, fidelity, hypothesis, characters=characters)
        )
    return scores


def _load(wav: Path) -> np.ndarray:
    return librosa.load(wav, sr=RATE)[0]


def _hear(wav: Path, asr_model: str | None) -> str:
    return _recognizer(asr_model)(_load(wav))


@cache
def _recognizer(model: str | None) -> Recognizer:
    return Recognizer(model, threads=1)
