"""The sentences by which an evaluation is heard."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean

from espnet_distill.evaluation.html.audio import Sound, read_sound
from espnet_distill.evaluation.html.curves import contours
from espnet_distill.evaluation.html.results import Evaluation
from espnet_distill.evaluation.html.svg import Chart

BY_SCORE = (
    "evenly spaced from the best to the worst, by the share of words that students get "
    "wrong and, where that is equal, by their DNSMOS"
)


BY_LENGTH = "evenly spaced from the shortest to the longest"


MOST_SOUND = 14e6  # characters of speech that leave the page below 15 MB


@dataclass(frozen=True)
class Example:
    """A held-out sentence and what was made of it."""

    utt: str
    text: str | None
    sounds: dict[str, Sound]
    scores: dict[str, dict[str, str]]
    pitch: Chart | None

    @property
    def longest(self) -> float:
        return max(sound.seconds for sound in self.sounds.values())


def read_examples(evaluation: Evaluation, number: int) -> tuple[list[Example], str]:
    """Read the sentences that :func:`choose` gives, or as many as are not too much.

    Returns them, and how they were chosen.
    """
    read = cache(read_sound)
    while True:
        utts, chosen = choose(evaluation, number)
        found = [_example(evaluation, utt, read) for utt in utts]
        size = sum(sound.size for one in found for sound in one.sounds.values())
        if size <= MOST_SOUND or len(found) <= 1:
            return found, chosen
        number = min(len(found) - 1, int(len(found) * MOST_SOUND / size) or 1)


def _example(
    evaluation: Evaluation, utt: str, read: Callable[[Path], Sound]
) -> Example:
    wavs = evaluation.wavs[utt]
    sounds = {name: read(wav) for name, wav in wavs.items()}
    pitches = {
        one.place: (one.name, sounds[one.name].pitch)
        for one in evaluation.systems
        if one.name in sounds
    }
    longest = max(sound.seconds for sound in sounds.values())
    return Example(
        utt,
        evaluation.texts.get(utt),
        sounds,
        evaluation.scores.get(utt, {}),
        contours(pitches, longest),
    )


def choose(evaluation: Evaluation, number: int) -> tuple[list[str], str]:
    """Choose sentences evenly from best to worst, the best and the worst among them.

    Returns the utterances in that order, and how they were chosen.
    """
    heard = evaluation.wavs
    if any(evaluation.scores.get(utt) for utt in heard):
        ordered = sorted(heard, key=lambda utt: (_badness(evaluation, utt), utt))
        return _evenly(ordered, number), BY_SCORE
    ordered = sorted(heard, key=lambda utt: (_size(heard[utt]), utt))
    return _evenly(ordered, number), BY_LENGTH


def _badness(evaluation: Evaluation, utt: str) -> tuple[float, float]:
    """Mean share of wrong words and mean DNSMOS, negated, of the students' speech."""
    judged = evaluation.students or evaluation.systems
    lines = [evaluation.scores.get(utt, {}).get(one.name, {}) for one in judged]
    errors = [
        float(line["errors"]) / max(1.0, float(line["words"]))
        for line in lines
        if line.get("errors") and line.get("words")
    ]
    mos = [float(line["dnsmos"]) for line in lines if line.get("dnsmos")]
    return (mean(errors) if errors else 0.0, -mean(mos) if mos else 0.0)


def _size(wavs: dict[str, Path]) -> int:
    return max(wav.stat().st_size for wav in wavs.values())


def _evenly(items: list[str], number: int) -> list[str]:
    if number >= len(items):
        return items
    if number == 1:
        return [items[len(items) // 2]]
    return [items[round(i * (len(items) - 1) / (number - 1))] for i in range(number)]
