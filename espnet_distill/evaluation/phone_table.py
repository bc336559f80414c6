"""Count phone errors of an evaluation, write them, and show the largest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics.phones import PhoneErrors, count_phone_errors
from espnet_distill.evaluation.metrics.wer import normalize
from espnet_distill.evaluation.score import REFERENCE, Score
from espnet_distill.evaluation.table import read_scores
from espnet_distill.utils.files import write_csv

NAME = "phones.csv"
LARGEST = 10  # rows of a system
CAPTION = """\
Phones with the largest excess of errors over the recordings', at most {largest} of a \
system: substituted or deleted phones in the transcripts' words that differ from the \
text, pronounced by espeak-ng. All phones are in `{name}`."""


@dataclass(frozen=True)
class Line:
    """A line of phones.csv, with the counts of :class:`PhoneErrors`.

    Attributes:
        substitutes: The substitutes and their counts, the most frequent first.
    """

    system: str
    phone: str
    position: str
    count: int
    correct: int
    substituted: int
    substitutes: str
    deleted: int
    inserted: int

    @property
    def errors(self) -> int:
        return self.substituted + self.deleted

    @property
    def place(self) -> tuple[str, str]:
        return self.phone, self.position

    @property
    def outcome(self) -> str:
        """What the phone became: the substitutes and the number of deletions."""
        deletions = f"deleted {self.deleted}" if self.deleted else ""
        return ", ".join(filter(None, [self.substitutes, deletions]))


COLUMNS = tuple(Line.__annotations__)
TEXTS = ("system", "phone", "position", "substitutes")


def count(
    scores: Iterable[Score], texts: dict[str, str], language: str, voice: str
) -> list[Line]:
    """Count the phone errors of each system's transcripts.

    Args:
        scores: Scores of all systems, with transcripts.
        texts: Texts by utterance.
        language: The language whose normalizer is applied, as for word errors.
        voice: espeak-ng's language tag.
    """
    pairs: dict[str, list] = {}
    for score in scores:
        sentence = normalize(language, texts[score.utt], score.hypothesis or "")
        pairs.setdefault(score.row, []).append(sentence)
    return [
        _line(system, phone, position, errors)
        for system, sentences in pairs.items()
        for (phone, position), errors in sorted(
            count_phone_errors(sentences, voice).items()
        )
    ]


def _line(system: str, phone: str, position: str, errors: PhoneErrors) -> Line:
    return Line(
        system,
        phone,
        position,
        errors.count,
        errors.correct,
        errors.substituted,
        ", ".join(f"{other} {n}" for other, n in errors.substitutes.most_common()),
        errors.deleted,
        errors.inserted,
    )


def write(out: Path, lines: Sequence[Line]) -> None:
    """Write phones.csv; without lines, remove that of an earlier evaluation."""
    if not lines:
        (out / NAME).unlink(missing_ok=True)
        return
    cells = ([getattr(line, name) for name in COLUMNS] for line in lines)
    write_csv(out / NAME, COLUMNS, cells)


def read(folder: Path) -> list[Line]:
    """Return the lines of an evaluation's phones.csv; [] without one.

    Raises:
        ConfigError: It is not as :func:`write` writes it.
    """
    path = folder / NAME
    if not path.is_file():
        return []
    try:
        return [
            Line(**{k: v if k in TEXTS else int(v) for k, v in cells.items()})
            for cells in read_scores(path, *COLUMNS)
        ]
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}: a count is not a whole number; evaluate again"
        ) from error


def largest_excess(lines: Sequence[Line]) -> dict[str, list[str]]:
    """Return the cells by title of the phones that systems lose most often.

    A phone's excess is the system's errors minus the recordings', in one position of
    the word; phones without an excess are left out. {} if there is none.
    """
    recorded = {line.place: line.errors for line in lines if line.system == REFERENCE}

    def excess(line: Line) -> int:
        return line.errors - recorded.get(line.place, 0)

    shown: list[Line] = []
    for system in dict.fromkeys(line.system for line in lines):
        own = [line for line in lines if line.system == system and excess(line) > 0]
        own.sort(key=lambda line: (-excess(line), -excess(line) / line.count))
        shown += own[:LARGEST]
    if not shown:
        return {}
    return {
        "": [line.system for line in shown],
        "Phone": [line.phone for line in shown],
        "Position": [line.position for line in shown],
        "Count": [str(line.count) for line in shown],
        "Errors": [str(line.errors) for line in shown],
        "Recordings' errors": [str(recorded.get(line.place, 0)) for line in shown],
        "Became": [line.outcome for line in shown],
    }


def caption() -> str:
    """Return a description of the table in Markdown."""
    return CAPTION.format(largest=LARGEST, name=NAME)
