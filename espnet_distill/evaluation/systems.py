"""Find the systems to evaluate and validate their files before any work."""

import os
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.data.audio import require_audio
from espnet_distill.data.utterances import Utterance
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import versa
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.identity import require_made_from
from espnet_distill.utils.files import check_file, read_text, utterance_file


@dataclass(frozen=True)
class System:
    """A row of the table: an ESPnet experiment and its decoded speech.

    Attributes:
        name: Name of the row.
        experiment: The experiment.
        wavs: Decoded files by utterance, in the order of the data folder.
        versa: Means of VERSA's results, by VERSA's names.
        vocoder_file: The vocoder named by the experiment's file ``vocoder_file``.
    """

    name: str
    experiment: Experiment
    wavs: dict[str, Path]
    versa: dict[str, float]
    vocoder_file: str | None = None


def find_systems(
    experiments: list[Path],
    data: Path,
    utterances: dict[str, Utterance],
    inference_tag: str | None = None,
    inference_model: str | None = None,
) -> list[System]:
    """Find each experiment's configuration, checkpoint and decoded speech.

    The first experiment is the teacher. Raises ConfigError if a file is missing.
    """
    return [
        _system(name, experiment, data, utterances, inference_tag, inference_model)
        for name, experiment in zip(_names(experiments), experiments)
    ]


def _system(name, experiment, data, utterances, tag, inference_model) -> System:
    opened = _open(experiment, inference_model)
    folder = _decode_folder(experiment, data, tag)
    require_made_from(folder.parents[1], opened)
    return System(
        name,
        opened,
        *_decoded(folder, utterances),
        _experiment_vocoder(_folder(experiment) / "vocoder_file"),
    )


def _experiment_vocoder(path: Path) -> str | None:
    if not path.is_file():
        return None
    vocoder_file = read_text(path).strip()
    check_file(vocoder_file, str(path))
    return vocoder_file


def _names(experiments: list[Path]) -> list[str]:
    names = ["teacher", *(_basename(_folder(path)) for path in experiments[1:])]
    require_distinct(names, "reference")
    return names


def require_distinct(names: list[str], *taken: str) -> None:
    """Raise ConfigError unless all names of rows are different."""
    if len({*taken, *names}) < len(taken) + len(names):
        raise ConfigError(
            f"EXP: the row names {', '.join(names)} are not unique: rename the "
            "experiments' folders"
        )


def _folder(experiment: Path) -> Path:
    return experiment.parent if experiment.suffix == ".pth" else experiment


def _open(experiment: Path, inference_model: str | None) -> Experiment:
    if inference_model is None or experiment.suffix == ".pth":
        return Experiment(experiment)
    files = experiment / "config.yaml", experiment / inference_model
    for path in files:
        if not path.is_file():
            raise ConfigError(f"{path} is missing: give a trained experiment's folder")
    return Experiment(dict(zip(("config", "model"), files)))


def _decode_folder(experiment: Path, data: Path, tag: str | None) -> Path:
    inside = Path(_basename(data), "wav")
    experiment = _folder(experiment)
    if tag is not None:
        return experiment / tag / inside
    folders = sorted(path for path in experiment.glob(f"*/{inside}") if path.is_dir())
    if len(folders) > 1:
        tags = ", ".join(path.parents[1].name for path in folders)
        raise ConfigError(
            f"{experiment} has several decodings of {data.name} ({tags}): "
            "choose by --inference-tag"
        )
    return folders[0] if folders else experiment / "*" / inside


def _decoded(folder: Path, utterances: dict[str, Utterance]) -> tuple[dict, dict]:
    """Return the decoded files by utterance, and the means of VERSA's results."""
    wavs = {utt: utterance_file(folder, utt, ".wav") for utt in utterances}
    for wav in wavs.values():
        if not wav.is_file():
            raise ConfigError(f"{wav} is missing: decode with stage 8 of tts.sh")
        require_audio(wav)
    return wavs, versa.read_results(folder, utterances)


def _basename(path: Path) -> str:
    return os.path.basename(os.path.abspath(path))
