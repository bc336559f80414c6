"""Count phoneme errors with hama, whose recognizer has no words to choose from.

A recognizer of words replaces a lost phone by the likeliest word. hama's recognizer of
English phonemes (CTC) does not; its G2P has the same phonemes.
"""

import re
from functools import cache

import numpy as np

from espnet_distill.evaluation.metrics import RATE
from espnet_distill.evaluation.metrics.wer import Errors
from espnet_distill.voice.normalization import normalize

LONGEST = 25  # seconds; the network leaves out what follows some 30 s
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def recognize_phonemes(wave: np.ndarray) -> list[str]:
    """Return the phonemes of a waveform (samples,) at 16 kHz; long ones in parts."""
    parts = np.array_split(wave, -(-len(wave) // (LONGEST * RATE)) or 1)
    return [
        phoneme
        for part in parts
        for phoneme in _recognizer().transcribe_waveform(part, RATE).phonemes
    ]


def phoneme_errors(text: str, phonemes: list[str]) -> Errors:
    """Count the errors of recognized phonemes against those of an English text."""
    from rapidfuzz.distance import Levenshtein

    words = WORD.findall(normalize(text, "en").lower().replace("’", "'"))
    reference = [phoneme for word in words for phoneme in _pronounce(word)]
    return Errors(Levenshtein.distance(reference, phonemes), len(reference))


@cache
def _pronounce(word: str) -> tuple[str, ...]:
    return tuple(one.phoneme for one in _g2p().predict(word).alignments)


@cache
def _recognizer():
    from hama import ASRModel

    return ASRModel()


@cache
def _g2p():
    from hama import G2PModel

    return G2PModel()
