"""Utterances as a model trains on them, by themselves."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import soundfile
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.files import read_rows


def wants_durations(tts) -> bool:
    """Tell whether a model trains on given durations."""
    return "durations" in inspect.signature(tts.forward).parameters


def batches_of_one(
    tts,
    preprocess: Callable,
    utterances: dict,
    durations: dict[str, list[int]] | None,
    data: Path,
) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    """Yield each utterance's name and a batch of it for ``ESPnetTTSModel.forward``.

    Args:
        tts: The model's ``tts`` module.
        preprocess: ESPnet's text front end of the model.
        utterances: As ``read_data`` gives them.
        durations: Frames a token, of :func:`read_durations`; None for a model that
            trains without.
        data: The folder that has ``utt2sid`` and ``utt2lid`` for a model that wants
            them.

    Raises:
        ConfigError: Durations that are not of these tokens.
    """
    ids = {
        f"{kind}s": read_rows(data / f"utt2{kind}", utterances)
        for kind, wanted in (("sid", "spks"), ("lid", "langs"))
        if getattr(tts, wanted, None)
    }
    for utt, utterance in utterances.items():
        batch = {
            "text": torch.as_tensor(preprocess("", {"text": utterance.text})["text"]),
            "speech": torch.from_numpy(
                soundfile.read(utterance.reference, dtype="float32")[0]
            ),
        }
        if wants_durations(tts):
            batch["durations"] = torch.tensor(durations[utt])
            if len(batch["durations"]) != len(batch["text"]) + 1:
                raise ConfigError(
                    f"--durations: {len(durations[utt])} values for the "
                    f"{len(batch['text'])} tokens and the end of {utterance.text!r}"
                )
        lengths = {
            f"{key}_lengths": torch.tensor([len(tensor)])
            for key, tensor in batch.items()
        }
        batch = {key: tensor[None] for key, tensor in batch.items()} | lengths
        batch |= {kind: torch.tensor([[int(of[utt])]]) for kind, of in ids.items()}
        yield utt, batch
