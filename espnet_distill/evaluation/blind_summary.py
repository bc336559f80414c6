"""Summarize the answers of several persons in a blind comparison."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.utils.config_values import as_list, as_mapping, as_text, one_of
from espnet_distill.utils.files import read_json
from espnet_distill.utils.markdown import aligned

CHOICES = ("a", "b", "none")


CAPTION = """\
Answers of {persons}. Rate: of the answers with a difference; Wilson's 95 % interval, \
which takes answers as independent. Agreement: of two persons on the same sentence and \
systems, the mean over all such pairs of answers.
"""


@dataclass(frozen=True)
class Answer:
    """A person's answer to a trial; ``preferred`` is a system, or None."""

    utt: str
    pair: tuple[str, str]
    preferred: str | None


def summarize_blind(paths: Sequence[str | Path]) -> str:
    """Summarize the files that blind.html saved, one a person.

    Args:
        paths: JSON files of pages of one evaluation.

    Returns:
        A Markdown table, a row per pair of systems: counts of the preferences, the rate
        of the first system with its interval, and the agreement of the persons.

    Raises:
        ConfigError: A file is not one of blind.html, of another evaluation, or a copy of
            another one.
    """
    persons = _read_all([Path(path) for path in paths])
    systems = list(dict.fromkeys(name for one in persons for name in one["systems"]))
    by_pair = defaultdict(list)
    for line in chain.from_iterable(one["answers"] for one in persons):
        answer = _answer(line, systems)
        by_pair[answer.pair].append(answer)
    pairs = combinations(systems, 2)
    rows = [_row(pair, by_pair[pair]) for pair in pairs if pair in by_pair]
    columns = {title: [row[title] for row in rows] for title in rows[0]}
    number = f"{len(persons)} person{'s' * (len(persons) > 1)}"
    return f"{aligned(columns)}\n\n{CAPTION.format(persons=number)}"


def _row(pair: tuple[str, str], answers: Sequence[Answer]) -> dict[str, str | None]:
    first, second = pair
    counts = Counter(answer.preferred for answer in answers)
    return {
        "First": first,
        "Second": second,
        "Answers": str(len(answers)),
        "First preferred": str(counts[first]),
        "Second preferred": str(counts[second]),
        "No difference": str(counts[None]),
        "Rate of first (%) [95 %]": _rate(counts[first], counts[second]),
        "Agreement (%)": _percent(agreement(answers)),
    }


def _rate(first: int, second: int) -> str | None:
    """Format the share of the first system in the decided answers; None without any."""
    if not first + second:
        return None
    low, high = wilson_interval(first, first + second)
    rate = first / (first + second)
    return f"{_percent(rate)} [{_percent(low)}, {_percent(high)}]"


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95 % confidence interval of a proportion (Wilson, JASA 1927)."""
    from scipy.stats import binomtest

    return tuple(binomtest(count, total).proportion_ci(method="wilson"))


def agreement(answers: Iterable[Answer]) -> float | None:
    """Return how often two persons agree on a sentence and pair, in [0, 1].

    None if no two persons answered the same.
    """
    by_trial = defaultdict(list)
    for answer in answers:
        by_trial[answer.utt, answer.pair].append(answer.preferred)
    agreed = [
        one == other
        for preferred in by_trial.values()
        for one, other in combinations(preferred, 2)
    ]
    return sum(agreed) / len(agreed) if agreed else None


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.0f}"


def _read_all(paths: Sequence[Path]) -> list[dict]:
    """Read the content of each file, for :func:`summarize_blind`."""
    contents = [_read(path) for path in paths]
    for number, content in enumerate(contents):
        if content["evaluation"] != contents[0]["evaluation"]:
            raise ConfigError(
                f"{paths[number]}: answers in another evaluation than {paths[0]}; "
                "name files of one evaluation"
            )
        if content in contents[:number]:
            other = paths[contents.index(content)]
            raise ConfigError(f"{paths[number]}: a copy of {other}; name it once")
    return contents


def _read(path: Path) -> dict:
    """Return the content of a file; raise a ConfigError unless blind.html saved it."""
    content = read_json(path)
    try:
        as_text(as_mapping(content, "file")["evaluation"], "evaluation")
        systems = as_list(content["systems"], "systems", of=as_text)
        for index, line in enumerate(as_list(content["answers"], "answers")):
            where = f"answers[{index}]"
            as_text(as_mapping(line, where)["utt"], f"{where}.utt")
            one_of(line["a"], systems, f"{where}.a")
            others = [name for name in systems if name != line["a"]]
            one_of(line["b"], others, f"{where}.b")
            one_of(line["answer"], CHOICES, f"{where}.answer")
    except (ConfigError, KeyError) as error:
        raise ConfigError(
            f"{path}: no answers of blind.html ({summarize(error)}); name the JSON "
            "file that it saved"
        ) from error
    if not content["answers"]:
        raise ConfigError(f"{path}: has no answers; leave it out")
    return content


def _answer(line: Mapping[str, str], systems: Sequence[str]) -> Answer:
    pair = sorted((line["a"], line["b"]), key=systems.index)
    return Answer(line["utt"], tuple(pair), line.get(line["answer"]))
