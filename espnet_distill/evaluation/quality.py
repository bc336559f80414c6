"""Judge speech against its text and the recording, and by itself."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import librosa
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

from espnet_distill.evaluation.asr import Recognizer, WordErrors, word_errors
from espnet_distill.evaluation.fidelity import Fidelity, fidelities
from espnet_distill.evaluation.inputs import MEASURES
from espnet_distill.evaluation.mos import RATE, dnsmos

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
    words: WordErrors | None
    dnsmos: float | None
    fidelity: Fidelity | None
    hypothesis: str | None
    forced: ForcedErrors | None = None


def judge(
    wavs: dict[str, dict[str, Path]],
    texts: dict[str, str],
    asr_model: str | None,
    forced: dict[str, dict[str, ForcedErrors]],
    measures: Collection[str] = MEASURES,
) -> list[Score]:
    """Score files ``wavs[row][utt]``, of which the row "reference" is human speech.

    One process a core, an utterance of all rows at a time. ``asr_model`` is a folder or
    a name for faster-whisper, None for the default; ``forced`` goes into the scores;
    ``measures`` are some of MEASURES.
    """
    jobs = (
        delayed(_judge_utterance)(
            utt, text, {row: wavs[row][utt] for row in wavs}, asr_model, measures
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
) -> list[Score]:
    systems = [row for row in wavs if row != REFERENCE]
    found = fidelities(wavs[REFERENCE], [wavs[row] for row in systems], measures)
    fidelity_of = dict(zip(systems, found))
    scores = []
    for row, wav in wavs.items():
        wave, _ = librosa.load(wav, sr=RATE)
        hypothesis = errors = None
        if "wer" in measures:
            hypothesis = _recognizer(asr_model)(wave)
            errors = word_errors(text, hypothesis)
        mos = dnsmos(wave) if "dnsmos" in measures else None
        scores.append(Score(utt, row, errors, mos, fidelity_of.get(row), hypothesis))
    return scores


@cache
def _recognizer(model: str | None) -> Recognizer:
    return Recognizer(model, threads=1)
