"""Judge speech against its text and its reference: word errors, DNSMOS, MCD."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import librosa
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

from espnet_distill.evaluation import mcd
from espnet_distill.evaluation.asr import Recognizer, WordErrors, word_errors
from espnet_distill.evaluation.mos import RATE, dnsmos

REFERENCE = "reference"


@dataclass(frozen=True)
class Score:
    """What was found in one file; ``mcd`` is None for the reference itself."""

    utt: str
    row: str
    words: WordErrors
    dnsmos: float
    mcd: float | None
    hypothesis: str


def judge(
    wavs: dict[str, dict[str, Path]], texts: dict[str, str], asr_model: str | None
) -> list[Score]:
    """Score files ``wavs[row][utt]``, of which the row "reference" is human speech.

    One process a core, an utterance of all rows at a time. ``asr_model`` is a folder or
    a name for faster-whisper, None for the default.
    """
    jobs = (
        delayed(_judge_utterance)(
            utt, text, {row: wavs[row][utt] for row in wavs}, asr_model
        )
        for utt, text in texts.items()
    )
    results = Parallel(n_jobs=cpu_count(), return_as="generator")(jobs)
    progress = tqdm(results, total=len(texts), desc="WER, DNSMOS, MCD", unit="utt")
    return [score for scores in progress for score in scores]


def _judge_utterance(
    utt: str, text: str, wavs: dict[str, Path], asr_model: str | None
) -> list[Score]:
    recognise = _recognizer(asr_model)
    systems = [row for row in wavs if row != REFERENCE]
    distortions = mcd.distortions(wavs[REFERENCE], [wavs[row] for row in systems])
    distortion_of = dict(zip(systems, distortions))
    scores = []
    for row, wav in wavs.items():
        wave, _ = librosa.load(wav, sr=RATE)
        hypothesis = recognise(wave)
        errors = word_errors(text, hypothesis)
        mos = dnsmos(wave)
        scores.append(Score(utt, row, errors, mos, distortion_of.get(row), hypothesis))
    return scores


@cache
def _recognizer(model: str | None) -> Recognizer:
    return Recognizer(model, threads=1)
