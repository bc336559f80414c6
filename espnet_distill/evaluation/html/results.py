"""Read the files of an evaluation and of its experiments."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation import phone_table, table
from espnet_distill.evaluation.html.training_log import read_training_log
from espnet_distill.experiments.config import read_config
from espnet_distill.utils.files import read_table, read_yaml

RECORDING, TEACHER = "reference", "teacher"


COMMANDS = ("run_distill.sh", "run.sh")  # which call distill.sh and tts.sh


class System:
    """A row of the table with the files of its experiment's folder.

    Attributes:
        row: The measured values.
        place: 0 for the recording, 1 for the teacher, from 2 on for students.
        config: The configuration; {} if the file no longer exists.
        plugin: Content of distill.yaml beside the checkpoint; {} without the file.
        training: The training's log; None without one.
        commands: Scripts that repeat the training, by name.
    """

    def __init__(self, row: table.Row, place: int, folder: Path):
        self.row = row
        self.place = place
        self.config = _mapping(read_config, _config_file(row, folder))
        self.plugin, self.training, self.commands = {}, None, {}
        if row.model:
            trained_in = list(self._trained_in())
            self.plugin = _first(
                _mapping(read_yaml, at / "distill.yaml") for at in trained_in
            )
            self.training = _first(map(read_training_log, trained_in)) or None
            self.commands = _first(map(_scripts, trained_in))

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def is_compacted(self) -> bool:
        """True if the model was compacted from one that was trained elsewhere."""
        model_folder = Path(self.row.model).parent.resolve()
        return self.training.folder.resolve() != model_folder

    def _trained_in(self) -> Iterator[Path]:
        """Yield the checkpoint's folder and its training's, if it was compacted."""
        yield Path(self.row.model).parent
        if isinstance(self.config.get("output_dir"), str):
            yield from _as_in_recipe(self.config["output_dir"], Path(self.row.model))


@dataclass(frozen=True)
class Evaluation:
    """Content of the ``--out`` folder of an evaluation.

    ``scores`` holds the lines of scores.csv by utterance and row.
    """

    folder: Path
    systems: list[System]
    environment: dict
    scores: dict[str, dict[str, dict[str, str]]]
    texts: dict[str, str]
    by_speaker: list[table.Row]
    phones: list[phone_table.Line]

    @property
    def teacher(self) -> System | None:
        return next((one for one in self.systems if one.place == 1), None)

    @property
    def students(self) -> list[System]:
        return [system for system in self.systems if system.place > 1]

    @cached_property
    def wavs(self) -> dict[str, dict[str, Path]]:
        """Audio files by utterance and row.

        Utterances without scores are ignored: they remain from an earlier evaluation.
        """
        wavs: dict[str, dict[str, Path]] = {}
        for system in self.systems:
            for wav in sorted((self.folder / "wav" / system.name).glob("*.wav")):
                if not self.scores or wav.stem in self.scores:
                    wavs.setdefault(wav.stem, {})[system.name] = wav
        return wavs


def read_evaluation(folder: Path) -> Evaluation:
    """Read an evaluation's folder; every file but table.json is optional.

    Raises:
        ConfigError: table.json is missing, or a file is not readable.
    """
    rows, environment, by_speaker = table.read(folder / "table.json")
    places = {RECORDING: 0, TEACHER: 1}
    others = [row.name for row in rows if row.name not in places]
    places |= {name: place for place, name in enumerate(others, start=2)}
    return Evaluation(
        folder=folder,
        systems=[System(row, places[row.name], folder) for row in rows],
        environment=environment,
        by_speaker=by_speaker,
        phones=phone_table.read(folder),
        scores=_read_scores(folder / "scores.csv"),
        texts=_read_texts(folder, environment.get("data")),
    )


def _read_scores(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    scores: dict[str, dict[str, dict[str, str]]] = {}
    if path.is_file():
        for line in table.read_scores(path, "utt", "row"):
            scores.setdefault(line["utt"], {})[line["row"]] = line
    return scores


def _read_texts(folder: Path, data) -> dict[str, str]:
    """Return the texts in the evaluation's folder, or else in its data folder."""
    files = [folder / "text"]
    files += [at / "text" for at in _as_in_recipe(str(data), folder) if data]
    return _first(read_table(path) for path in files if path.is_file())


def _config_file(row: table.Row, folder: Path) -> Path | None:
    copy = folder / "config" / f"{row.name}.yaml"
    return copy if copy.is_file() else row.config and Path(row.config)


def _as_in_recipe(path: str, inside: Path) -> Iterator[Path]:
    """Yield the existing files of a path that is relative to a recipe's folder."""
    for folder in (Path(), *inside.absolute().parents):
        if (folder / path).exists():
            yield folder / path


def _scripts(folder: Path) -> dict[str, str]:
    files = [folder / name for name in COMMANDS]
    return {
        file.name: file.read_text(encoding="utf-8", errors="replace").strip()
        for file in files
        if file.is_file()
    }


def _mapping(read: Callable[[Path], dict], path: Path | None) -> dict:
    """Return the mapping in a file; {} if it is missing or no mapping."""
    if path is None or not path.is_file():
        return {}
    try:
        content = read(path)
    except ConfigError:
        return {}
    return content if isinstance(content, dict) else {}


def _first(candidates):
    """Return the first candidate that is not empty, or else {}."""
    return next(filter(None, candidates), {})
