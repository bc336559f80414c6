"""Utterances of an ESPnet data folder, and batches of one utterance."""

import inspect
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.data.audio import read_audio, require_audio, required_by
from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.experiments.ids import read_embedding
from espnet_distill.utils.files import (
    read_durations,
    read_rows,
    read_table,
    require_file_name,
)


def takes_durations(tts) -> bool:
    """Return True if a model's training takes durations as an input."""
    return "durations" in inspect.signature(tts.forward).parameters


def durations_of(path: Path, utterances: Iterable[str]) -> dict[str, list[int]]:
    """Return the frames per token of the utterances that have durations.

    The number of utterances without durations, which the aligner excluded, is logged.

    Raises:
        ConfigError: No utterance has durations, or a value is no number of frames.
    """
    utterances = list(utterances)
    table = read_table(path)
    listed = [utt for utt in utterances if utt in table]
    if missing := len(utterances) - len(listed):
        logging.warning(
            f"{path}: {missing} of {len(utterances)} utterances have no durations"
        )
    return read_durations(path, listed or utterances)


def batches_of_one(
    model: ESPnetTTSModel,
    preprocess: Callable,
    utterances: dict,
    durations: dict[str, list[int]] | None,
    data: Path,
) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Yield (utterance id, batch) for ``ESPnetTTSModel.forward``.

    Args:
        model: The model that the batches are for.
        preprocess: ESPnet's text front end of the model.
        utterances: The result of :func:`read_data`.
        durations: Frames per token, from :func:`read_durations`; None for a model that
            trains without durations.
        data: The folder with ``utt2sid`` and ``utt2lid``, for a model that takes ids;
            for one that takes speaker embeddings see :func:`table_of_embeddings`.

    Raises:
        ConfigError: A text has no tokens, a recording does not fit the model's feature
            extraction, or durations do not match the tokens and the recording.
    """
    tts, required = model.tts, required_by(model.feats_extract)
    conditions = condition_reader(tts, utterances, data)
    for utt, utterance in utterances.items():
        text = torch.as_tensor(preprocess("", {"text": utterance.text})["text"])
        if not len(text):
            raise ConfigError(
                f"{data}/text: {utt}: {utterance.text!r} has no tokens; leave the "
                "utterance out"
            )
        speech = torch.from_numpy(read_audio(utterance.reference, utt, **required)[0])
        batch = {"text": text, "speech": speech}
        if takes_durations(tts):
            _require_fit(durations[utt], utt, utterance.text, batch, model)
            batch["durations"] = torch.tensor(durations[utt])
        lengths = {
            f"{key}_lengths": torch.tensor([len(tensor)])
            for key, tensor in batch.items()
        }
        batch = {key: tensor[None] for key, tensor in batch.items()} | lengths
        yield utt, batch | conditions(utt)


def condition_reader(
    tts, utterances: Iterable[str], data: Path
) -> Callable[[str], dict[str, torch.Tensor]]:
    """Return a function of an utterance that returns its speaker and language.

    Those that the model takes: ids ``sids`` and ``lids`` (1, 1), and ``spembs`` (1, D).

    Args:
        tts: The model.
        utterances: The utterances.
        data: The folder with ``utt2sid`` and ``utt2lid``; see
            :func:`table_of_embeddings`.

    Raises:
        ConfigError: A table, or an utterance in it, is missing.
    """
    ids = {
        f"{kind}s": read_rows(data / f"utt2{kind}", utterances)
        for kind, attribute in (("sid", "spks"), ("lid", "langs"))
        if getattr(tts, attribute, None)
    }
    embeddings = _embeddings_of(tts, utterances, data)

    def read(utt: str) -> dict[str, torch.Tensor]:
        batch = {kind: _id_of(utt, table, kind) for kind, table in ids.items()}
        if embeddings:
            batch["spembs"] = read_embedding(embeddings[utt], data)[None]
        return batch

    return read


def table_of_embeddings(data: Path) -> Path | None:
    """Return the speaker embeddings that tts.sh wrote for a data folder.

    They are ``<dump>/<tag>/<set>/<tag>.scp`` for ``<dump>/raw/<set>``; None if there are
    none, or several.
    """
    data = data.absolute()
    tables = data.parent.parent.glob(f"*/{data.name}/*.scp")
    found = [table for table in tables if table.stem == table.parents[1].name]
    return found[0] if len(found) == 1 else None


def _embeddings_of(tts, utterances: Iterable[str], data: Path) -> dict[str, str]:
    """Return utterance → place of its speaker embedding; {} for a model without."""
    if not getattr(tts, "spk_embed_dim", None):
        return {}
    table = table_of_embeddings(data)
    if table is None:
        raise ConfigError(
            f"{data}: no speaker embeddings of it, {data.absolute().parent.parent}/<tag>/"
            f"{data.name}/<tag>.scp, which the model takes"
        )
    return read_rows(table, utterances)


def _id_of(utt: str, table: dict[str, str], kind: str) -> torch.Tensor:
    if not table[utt].isdecimal():
        raise ConfigError(f"utt2{kind[:-1]}: {utt}: {table[utt]!r} is no number")
    return torch.tensor([[int(table[utt])]])


def _require_fit(durations: list[int], utt: str, text: str, batch: dict, model) -> None:
    """Raise a ConfigError unless durations match a text's tokens and a recording."""
    tokens, speech = len(batch["text"]), batch["speech"]
    if len(durations) != tokens + 1:
        raise ConfigError(
            f"--durations: {utt}: {len(durations)} values for the {tokens} tokens and "
            f"the end of {text!r}"
        )
    if model.feats_extract is None:
        return
    with torch.no_grad():
        _, frames = model.feats_extract(speech[None], torch.tensor([len(speech)]))
    step = getattr(model.tts, "reduction_factor", 1)
    total = step * sum(durations)
    if not 0 <= frames.item() - total < step:
        raise ConfigError(
            f"--durations: {utt}: {total} frames, but the recording has "
            f"{frames.item()}; take durations of the same recordings and n_shift"
        )


@dataclass(frozen=True)
class Utterance:
    """A sentence and the file of its reference audio."""

    text: str
    reference: Path


def read_data(folder: Path, num_utts: int | None = None) -> dict[str, Utterance]:
    """Read the first ``num_utts`` utterances of an ESPnet data folder.

    Raises:
        ConfigError: A file, a text or its audio is missing, a text is empty, or audio
            is invalid.
    """
    texts = _read_columns(folder / "text")
    paths = _read_columns(folder / "wav.scp")
    if not texts:
        raise ConfigError(f"{folder / 'text'} is empty: name a folder with sentences")
    if num_utts is not None and num_utts < 1:
        raise ConfigError(f"--num-utts: {num_utts} leaves no sentence; give 1 or more")
    utterances = {}
    for utt, text in list(texts.items())[:num_utts]:
        require_file_name(utt, f"{folder / 'text'}: utterance")
        if utt not in paths:
            raise ConfigError(
                f"{folder / 'wav.scp'}: no audio for {utt}; give the folder that "
                "tts.sh formats, dump/raw/<set>"
            )
        if not text:
            raise ConfigError(
                f"{folder / 'text'}: {utt} has no text; leave the utterance out"
            )
        with ErrorCollector() as faults:
            faults.check(
                require_audio, paths[utt], utt, where=f"{folder / 'wav.scp'}: "
            )
        utterances[utt] = Utterance(text, Path(paths[utt]))
    return utterances


def part_of(utterances: dict[str, Utterance], part: str) -> dict[str, Utterance]:
    """Return every NJ-th utterance, from the JOB-th on; ``part`` is "JOB/NJ".

    Raises:
        ConfigError: ``part`` has another form.
    """
    numbers = re.fullmatch(r"(\d+)/(\d+)", part)
    job, jobs = map(int, numbers.groups()) if numbers else (0, 0)
    if not 1 <= job <= jobs:
        raise ConfigError(f"--part: {part} is no JOB/NJ, such as 1/8 to 8/8")
    return dict(list(utterances.items())[job - 1 :: jobs])


def _read_columns(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise ConfigError(f"{path} is missing: --data takes an ESPnet data folder")
    return read_table(path)
