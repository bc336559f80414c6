"""Find a recognizer by the value of an option."""

from espnet_distill.errors import ErrorCollector
from espnet_distill.evaluation.espnet_models import is_espnet
from espnet_distill.evaluation.metrics import asr, asr_espnet, asr_moonshine
from espnet_distill.evaluation.metrics.asr import Whisper
from espnet_distill.evaluation.metrics.asr_espnet import EspnetRecognizer
from espnet_distill.evaluation.metrics.asr_moonshine import Moonshine
from espnet_distill.evaluation.metrics.registry import MOONSHINE, require_metric

AsrModel = Whisper | EspnetRecognizer | Moonshine


def find(model: str | None, language: str, option: str) -> AsrModel:
    """Return the recognizer of a model for a language.

    Args:
        model: ``moonshine``, an ESPnet ASR model by its folder, ``.pth`` or tag, or a
            faster-whisper model by its name or folder; None is the default.
        language: A code such as ``de``.
        option: The option that names the model.

    Raises:
        ConfigError: It is not available, or does not transcribe the language.
    """
    with ErrorCollector() as faults:
        if model == MOONSHINE:
            return faults.check(asr_moonshine.find, language, where=f"{option}: ")
        if model and is_espnet(model):
            return faults.check(asr_espnet.find, model, where=f"{option}: ")
        faults.check(require_metric, "wer", model)
        faults.require_none()
        faults.check(asr.check_model, model, language, option)
    return Whisper(model, language, asr.checksum_of_model(model))
