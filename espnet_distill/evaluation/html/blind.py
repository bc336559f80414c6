"""Render a blind comparison: pairs of systems' renderings of the same sentence."""

import base64
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

from markupsafe import Markup

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.html.audio import mp3_uri, read_wave
from espnet_distill.evaluation.html.loudness import LOUDNESS, equalize
from espnet_distill.evaluation.html.render import embedded, template
from espnet_distill.evaluation.html.results import RECORDING, Evaluation
from espnet_distill.utils.checksums import checksum, checksum_of
from espnet_distill.utils.config_values import one_of


@dataclass(frozen=True)
class Trial:
    """A sentence by two systems, A and B."""

    utt: str
    a: str
    b: str


def blind_page(
    evaluation: Evaluation, names: Sequence[str], number: int, seed: int
) -> str:
    """Return the HTML page of a blind comparison.

    Args:
        evaluation: The evaluation.
        names: Rows to compare; none are all but the recordings. Trials have the
            recording beside A and B unless it is compared.
        number: Number of trials; fewer if the evaluation has fewer sentences.
        seed: Of sentences and order.

    Raises:
        ConfigError: Fewer than two systems with audio, fewer trials than pairs of
            them, or unreadable audio.
    """
    names = choose_systems(evaluation, names)
    trials = choose_trials(evaluation.wavs, names, number, seed)
    clips = _clips(evaluation, trials, {*names, RECORDING})
    places = {clip: place for place, clip in enumerate(clips)}
    has_recording = RECORDING not in names
    key = {
        "evaluation": identify(evaluation),
        "systems": names,
        "trials": [
            {
                **asdict(trial),
                "text": evaluation.texts.get(trial.utt, trial.utt),
                "clips": {
                    player: places.get((trial.utt, name))
                    for player, name in (
                        ("a", trial.a),
                        ("b", trial.b),
                        ("x", RECORDING if has_recording else None),
                    )
                },
            }
            for trial in trials
        ],
    }
    return template("blind.html").render(
        **embedded("blind"),
        trials=len(trials),
        loudness=LOUDNESS,
        has_recording=has_recording,
        clips=Markup(json.dumps([*clips.values()])),
        key=base64.b64encode(json.dumps(key).encode()).decode(),
    )


def choose_systems(evaluation: Evaluation, names: Sequence[str]) -> list[str]:
    """Return the rows to compare in the table's order; see :func:`blind_page`."""
    with_audio = {name for by_system in evaluation.wavs.values() for name in by_system}
    known = [one.name for one in evaluation.systems if one.name in with_audio]
    for name in names:
        one_of(name, known, "--blind")
    chosen = [name for name in known if (name in names if names else name != RECORDING)]
    if len(chosen) < 2:
        raise ConfigError(
            f"--blind: give two or more systems with audio; {evaluation.folder} "
            f"has {', '.join(known) or 'none'}"
        )
    return chosen


def choose_trials(
    wavs: Mapping[str, Mapping[str, Path]], names: Sequence[str], number: int, seed: int
) -> list[Trial]:
    """Choose sentences for each pair of systems at random, and shuffle the trials.

    Pairs have equal numbers of trials, and both orders of A and B, up to a difference
    of one. A pair has a sentence once.

    Args:
        wavs: Audio files by utterance and row.
        names: The systems.
        number, seed: See :func:`blind_page`, also for errors.
    """
    pairs = list(combinations(names, 2))
    if number < len(pairs):
        raise ConfigError(
            f"--trials: {number}; {len(pairs)} pairs of systems require {len(pairs)} or "
            "more; or name fewer systems by --blind"
        )
    rng = random.Random(seed)
    share, rest = divmod(number, len(pairs))
    with_one_more = rng.sample(pairs, rest)
    trials = []
    for index, pair in enumerate(pairs):
        utts = [utt for utt, by_system in wavs.items() if by_system.keys() >= {*pair}]
        if not utts:
            raise ConfigError(f"--blind: no sentence has audio of {' and '.join(pair)}")
        count = min(share + (pair in with_one_more), len(utts))
        for turn, utt in enumerate(rng.sample(sorted(utts), count), start=index):
            trials.append(Trial(utt, *(pair if turn % 2 else pair[::-1])))
    rng.shuffle(trials)
    return trials


def identify(evaluation: Evaluation) -> str:
    """Return a checksum of an evaluation's audio, 16 hexadecimal digits."""
    lines = (
        f"{utt} {name} {checksum(wav)}"
        for utt, by_system in sorted(evaluation.wavs.items())
        for name, wav in sorted(by_system.items())
    )
    return checksum_of(lines)[:16]


def _clips(
    evaluation: Evaluation, trials: list[Trial], names: set[str]
) -> dict[tuple[str, str], str]:
    """Return the clips as data URIs by utterance and row, equally loud a sentence."""
    clips = {}
    for utt in sorted({trial.utt for trial in trials}):
        wavs = [(n, wav) for n, wav in evaluation.wavs[utt].items() if n in names]
        waves = [read_wave(wav) for _, wav in wavs]
        for (name, _), wave, (_, rate) in zip(wavs, equalize(waves), waves):
            clips[utt, name] = mp3_uri(wave, rate)
    return clips
