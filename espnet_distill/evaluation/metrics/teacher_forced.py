"""Measure teacher-forced errors: durations, pitch and energy of the recording."""

from pathlib import Path

import torch
from espnet2.bin.tts_inference import Text2Speech
from espnet2.tts.prodiff import ProDiff

from espnet_distill.data.utterances import batches_of_one, table_of_embeddings
from espnet_distill.evaluation.score import ForcedErrors
from espnet_distill.teachers.online import sample_in_forward
from espnet_distill.teachers.taps import OUTPUTS, TapRecorder
from espnet_distill.utils.progress import progress_bar
from espnet_distill.utils.validation import require_finite

REMEDY = "check the recording and its durations"


def forced_errors(
    system: Text2Speech,
    utterances: dict,
    durations: dict[str, list[int]],
    data: Path,
    name: str,
) -> dict[str, ForcedErrors]:
    """Compute the errors of each utterance in a forward pass, as in validation.

    A ProDiff samples from noise, the same in each run, instead of denoising the recording.

    Speaker and language ids come from ``utt2sid`` and ``utt2lid`` in the folder
    ``data``. Returns {} for a model without taps, trained on features from its data
    (``odim``), or of speaker embeddings that ``data`` does not have.

    Raises:
        ConfigError: An error that is NaN or infinite.
    """
    batches = _batches(system, utterances, durations, data)
    if batches is None:
        return {}
    if system.feats_extract is None:
        return {}
    if isinstance(system.tts, ProDiff):
        sample_in_forward(system.tts)
    recorder = TapRecorder(system.tts)
    parameters = system.feats_extract.get_parameters()
    samples = recorder.reduction_factor * parameters["n_shift"]
    milliseconds = 1000 * samples / parameters["fs"]
    errors = {}
    progress = progress_bar(batches, f"mel error of {name}", total=len(utterances))
    for utt, batch in progress:
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            system.model(**batch)
        utterance_errors = _errors(recorder, batch.get("durations"), milliseconds)
        require_finite(
            {"mel error": utterance_errors.mel}, f"{data}: {utt}: {name}", REMEDY
        )
        errors[utt] = utterance_errors
    return errors


def require_batches(
    system: Text2Speech, utterances: dict, durations: dict[str, list[int]], data: Path
) -> None:
    """Raise the ConfigError of :func:`forced_errors`, without running the model."""
    for _ in _batches(system, utterances, durations, data) or ():
        pass


def _batches(system: Text2Speech, utterances: dict, durations: dict, data: Path):
    if not isinstance(system.tts, tuple(OUTPUTS)):
        return None
    if system.use_spembs and table_of_embeddings(data) is None:
        return None
    return batches_of_one(
        system.model, system.preprocess_fn, utterances, durations, data
    )


def _errors(recorder: TapRecorder, durations, milliseconds: float) -> ForcedErrors:
    mel = recorder.taps["mel_after"]
    error = (mel - recorder.truth[:, : mel.size(1)]).abs().mean().item()
    if durations is None:
        return ForcedErrors(error, None)
    predicted = (recorder.taps["duration"].exp() - 1).round().clamp(min=0)
    frames = (predicted - durations).abs().mean().item()
    return ForcedErrors(error, milliseconds * frames)
