"""Errors of a model that is given the recording's durations, pitch and energy."""

import inspect
from pathlib import Path

import soundfile
import torch
from espnet2.bin.tts_inference import Text2Speech
from tqdm import tqdm

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.quality import ForcedErrors
from espnet_distill.evaluation.speed import tokens_of
from espnet_distill.files import read_table
from espnet_distill.taps import OUTPUTS, TapRecorder


def read_durations(path: Path, utterances) -> dict[str, list[int]]:
    """Read frames a token, as ESPnet's ``durations`` has them, of these utterances."""
    table = read_table(path)
    missing = [utt for utt in utterances if utt not in table]
    if missing:
        raise ConfigError(f"{path}: no durations for {', '.join(missing[:10])}")
    try:
        return {utt: list(map(int, table[utt].split())) for utt in utterances}
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; give whole frames a token") from error


def forced_errors(
    system: Text2Speech,
    utterances: dict,
    durations: dict[str, list[int]],
    data: Path,
    name: str,
) -> dict[str, ForcedErrors]:
    """Run each utterance through the model as in validation, by itself.

    Speaker and language ids come from ``utt2sid`` and ``utt2lid`` in the folder
    ``data``. Returns nothing for a model without taps, or one that wants an embedding.
    """
    if not isinstance(system.tts, tuple(OUTPUTS)) or system.use_spembs:
        return {}
    ids = {
        f"{kind}s": read_table(data / f"utt2{kind}")
        for kind, used in (("sid", system.use_sids), ("lid", system.use_lids))
        if used
    }
    recorder = TapRecorder(system.tts)
    wanted = inspect.signature(system.tts.forward).parameters
    parameters = system.feats_extract.get_parameters()
    milliseconds = 1000 * parameters["n_shift"] / parameters["fs"]
    errors = {}
    for utt, utterance in tqdm(utterances.items(), desc=f"mel error of {name}"):
        batch = _batch(system, utterance, durations[utt], name)
        batch |= {kind: torch.tensor([[int(of[utt])]]) for kind, of in ids.items()}
        if "durations" not in wanted:
            del batch["durations"], batch["durations_lengths"]
        with torch.no_grad():
            system.model(**batch)
        errors[utt] = _errors(recorder, batch.get("durations"), milliseconds)
    return errors


def _batch(system, utterance, durations: list[int], name: str) -> dict:
    ids = tokens_of(system, utterance.text)
    if len(durations) != len(ids) + 1:
        raise ConfigError(
            f"--durations: {len(durations)} values for the {len(ids)} tokens and the "
            f"end of {utterance.text!r} in {name}"
        )
    speech, _ = soundfile.read(utterance.reference, dtype="float32")
    tensors = {
        "text": ids,
        "speech": torch.from_numpy(speech),
        "durations": torch.tensor(durations),
    }
    lengths = {f"{key}_lengths": torch.tensor([len(t)]) for key, t in tensors.items()}
    return {key: tensor[None] for key, tensor in tensors.items()} | lengths


def _errors(recorder: TapRecorder, durations, milliseconds: float) -> ForcedErrors:
    mel = recorder.taps["mel_after"]
    error = (mel - recorder.truth[:, : mel.size(1)]).abs().mean().item()
    if durations is None:
        return ForcedErrors(error, None)
    predicted = (recorder.taps["duration"].exp() - 1).round().clamp(min=0)
    missed = (predicted - durations).abs().mean().item()
    return ForcedErrors(error, milliseconds * missed)
