"""Select the example sentences of the page."""

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
    "evenly spaced from the best to the worst, by the students' error rate and, "
    "where it is equal, by their DNSMOS"
)


BY_LENGTH = "evenly spaced from the shortest to the longest"


MOST_SOUND = 14e6  # characters of audio and images; keeps the page below 15 MB


@dataclass(frozen=True)
class Example:
    """A held-out sentence, its renderings and their scores."""

    utt: str
    text: str | None
    sounds: dict[str, Sound]
    scores: dict[str, dict[str, str]]
    pitch: Chart | None

    @property
    def longest(self) -> float:
        return max(sound.seconds for sound in self.sounds.values())


def read_examples(evaluation: Evaluation, number: int) -> tuple[list[Example], str]:
    """Read the sentences that :func:`choose` selects, at most MOST_SOUND of them.

    Returns the examples and a description of the selection.
    """
    read = cache(read_sound)
    while True:
        utts, chosen = choose(evaluation, number)
        examples = [_example(evaluation, utt, read) for utt in utts]
        size = sum(sound.size for one in examples for sound in one.sounds.values())
        if size <= MOST_SOUND or len(examples) <= 1:
            return examples, chosen
        number = min(len(examples) - 1, int(len(examples) * MOST_SOUND / size) or 1)


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
    """Select sentences evenly spaced from best to worst, including both.

    Returns the utterances in that order and a description of the selection.
    """
    wavs = evaluation.wavs
    keys = {utt: _error_key(evaluation, utt) for utt in wavs}
    if any(map(any, keys.values())):
        ordered = sorted(wavs, key=lambda utt: (keys[utt], utt))
        return _evenly(ordered, number), BY_SCORE
    ordered = sorted(wavs, key=lambda utt: (_size(wavs[utt]), utt))
    return _evenly(ordered, number), BY_LENGTH


def _error_key(evaluation: Evaluation, utt: str) -> tuple[float, float]:
    """Return the students' mean error rate and negated mean DNSMOS, 0 without any."""
    systems = evaluation.students or evaluation.systems
    lines = [evaluation.scores.get(utt, {}).get(one.name, {}) for one in systems]
    counts = [count for line in lines if (count := errors_of(line))]
    errors = [float(wrong) / max(1.0, float(total)) for wrong, total, _ in counts]
    mos = [float(line["dnsmos"]) for line in lines if line.get("dnsmos")]
    return (mean(errors) if errors else 0.0, -mean(mos) if mos else 0.0)


def errors_of(line: dict[str, str]) -> tuple[str, str, str] | None:
    """Return errors, total and unit of a line of scores.csv; None without them.

    The units are words, or characters where words are not spaced.
    """
    for errors, total in (("errors", "words"), ("character_errors", "characters")):
        if line.get(errors) and line.get(total):
            return line[errors], line[total], total
    return None


def _size(wavs: dict[str, Path]) -> int:
    return max(wav.stat().st_size for wav in wavs.values())


def _evenly(items: list[str], number: int) -> list[str]:
    if number >= len(items):
        return items
    if number == 1:
        return [items[len(items) // 2]]
    return [items[round(i * (len(items) - 1) / (number - 1))] for i in range(number)]
