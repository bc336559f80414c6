"""Utterances as a model trains on them, by themselves."""

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.data.audio import read_audio, required_by
from espnet_distill.errors import ConfigError
from espnet_distill.files import read_durations, read_rows, read_table


def wants_durations(tts) -> bool:
    """Tell whether a model trains on given durations."""
    return "durations" in inspect.signature(tts.forward).parameters


def known_durations(path: Path, utterances: Iterable[str]) -> dict[str, list[int]]:
    """Return frames a token of those utterances that have any; log how many have none.

    The aligner leaves out what it cannot align.

    Raises:
        ConfigError: None has, or a value is no number of frames.
    """
    utterances = list(utterances)
    table = read_table(path)
    known = [utt for utt in utterances if utt in table]
    if missing := len(utterances) - len(known):
        logging.warning(f"{path}: {missing} of {len(utterances)} utterances have none")
    return read_durations(path, known or utterances)


def batches_of_one(
    model: ESPnetTTSModel,
    preprocess: Callable,
    utterances: dict,
    durations: dict[str, list[int]] | None,
    data: Path,
) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Yield each utterance's name and a batch of it for ``ESPnetTTSModel.forward``.

    Args:
        model: The model that the batches are for.
        preprocess: ESPnet's text front end of the model.
        utterances: As ``read_data`` gives them.
        durations: Frames a token, of :func:`read_durations`; None for a model that
            trains without.
        data: The folder that has ``utt2sid`` and ``utt2lid`` for a model that wants
            them.

    Raises:
        ConfigError: A text without tokens, a recording that is not as the model's were,
            durations that are not of these tokens and this recording.
    """
    tts, required = model.tts, required_by(model.feats_extract)
    ids = {
        f"{kind}s": read_rows(data / f"utt2{kind}", utterances)
        for kind, wanted in (("sid", "spks"), ("lid", "langs"))
        if getattr(tts, wanted, None)
    }
    for utt, utterance in utterances.items():
        text = torch.as_tensor(preprocess("", {"text": utterance.text})["text"])
        if not len(text):
            raise ConfigError(
                f"{data}/text: {utt}: {utterance.text!r} has no tokens; leave the "
                "utterance out"
            )
        speech = torch.from_numpy(read_audio(utterance.reference, utt, **required)[0])
        batch = {"text": text, "speech": speech}
        if wants_durations(tts):
            _require_fit(durations[utt], utt, utterance.text, batch, model)
            batch["durations"] = torch.tensor(durations[utt])
        lengths = {
            f"{key}_lengths": torch.tensor([len(tensor)])
            for key, tensor in batch.items()
        }
        batch = {key: tensor[None] for key, tensor in batch.items()} | lengths
        batch |= {kind: _id_of(utt, table, kind) for kind, table in ids.items()}
        yield utt, batch


def _id_of(utt: str, table: dict[str, str], kind: str) -> torch.Tensor:
    if not table[utt].isdecimal():
        raise ConfigError(f"utt2{kind[:-1]}: {utt}: {table[utt]!r} is no number")
    return torch.tensor([[int(table[utt])]])


def _require_fit(durations: list[int], utt: str, text: str, batch: dict, model) -> None:
    """Raise a ConfigError unless durations are of a text's tokens and a recording."""
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
