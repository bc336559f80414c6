"""The front end of a voice: what turns text into the ids that clients send."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from espnet_distill.data.front_end import FrontEnd
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_frontend import UNKNOWN
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds, padded, phoneme_ids
from espnet_distill.teachers.piper_padding import PiperPadding
from espnet_distill.voice.config import VoiceConfig, read_config
from espnet_distill.voice.espeak import load_espeak
from espnet_distill.voice.languages import require_language
from espnet_distill.voice.phonemes import SPACE
from espnet_distill.voice.text_to_ids import TextToIds

IMPORTED = "voice.onnx.json"  # settings of a voice that an experiment was made of


@dataclass(frozen=True)
class VoiceFrontEnd:
    """The front end of a voice, decided before it is built.

    Attributes:
        experiment: The model's.
        trained: The front end of the training.
        front_end: The same with the language and espeak-ng's voice of its phonemes.
        symbols: The ids of symbols.
        pad: Turns the ids of tokens into those that clients send.
        imported: Settings of the Piper voice that the experiment was made of.
    """

    experiment: Experiment
    trained: FrontEnd
    front_end: FrontEnd
    symbols: PhonemeIds
    pad: Callable[[list[int]], list[int]] = padded
    imported: VoiceConfig | None = None

    def tokens_of(self, sentence: str) -> list[int]:
        """Return the token ids of a sentence, by ESPnet's front end.

        Raises:
            ConfigError: The model has no front end, or the sentence has no tokens, or
                some that the model lacks.
        """
        preprocessor = self.experiment.front_end
        if preprocessor is None:
            raise ConfigError("--sample: the model takes token ids; leave it out")
        where, text = f"--sample: {sentence!r}: ", self._prepare(sentence)
        tokens = preprocessor("sample", {"text": text})["text"].tolist()
        if not tokens:
            raise ConfigError(f"{where}nothing to synthesize; give words")
        known = self.experiment.config["token_list"]
        if UNKNOWN in known and known.index(UNKNOWN) in tokens:
            found = preprocessor.tokenizer.text2tokens(preprocessor.text_cleaner(text))
            lacked = dict.fromkeys(repr(one) for one in found if one not in known)
            raise ConfigError(
                f"{where}{self.experiment} has no token {', '.join([*lacked][:3])}; "
                f"{self._remedy}"
            )
        return tokens

    def _prepare(self, sentence: str) -> str:
        """Return a sentence as ESPnet's front end takes it."""
        if self.imported is None or self.symbols.kind != "text":
            return self.front_end.prepare(sentence)
        sentences = TextToIds(self.imported).sentences(sentence)
        return f" {SPACE} ".join(map(" ".join, sentences))

    @property
    def _remedy(self) -> str:
        is_unknown = self.symbols.kind == "ids" and not self.front_end.g2p
        if is_unknown and self.front_end.token_type == "phn":
            return "give --data or --espeak-voice, or leave the sample out"
        return "give a sentence without it"


def choose_front_end(
    experiment: Experiment, data: Path | None, espeak_voice: str | None
) -> VoiceFrontEnd:
    """Return the front end of a voice.

    Args:
        experiment: The model's.
        data: A data folder of the experiment, for language and voice.
        espeak_voice: espeak-ng's language tag of the phonemes, if it was given.

    Raises:
        ConfigError: espeak-ng has no such voice, the token list cannot be that of a
            voice, or the settings of an imported voice are missing.
    """
    if espeak_voice:
        load_espeak().require_voice(espeak_voice)
    padding = (experiment.config.get("tts_conf") or {}).get("padding")
    if padding is not None:
        return _imported(experiment, padding, espeak_voice)
    tokens = experiment.config["token_list"]
    trained = FrontEnd.of(experiment.config, data)
    symbols = phoneme_ids(tokens, trained, espeak_voice, str(experiment))
    return VoiceFrontEnd(experiment, trained, _with_voice(trained, symbols), symbols)


def _with_voice(front_end: FrontEnd, symbols: PhonemeIds) -> FrontEnd:
    """Return a front end with the voice and the language of its phonemes."""
    if symbols.voice is None or front_end.g2p:
        return front_end
    language = front_end.language or require_language(symbols.voice)
    return replace(front_end, voice=symbols.voice, language=language)


def _imported(
    experiment: Experiment, padding: list[int], espeak_voice: str | None
) -> VoiceFrontEnd:
    """Return the front end of a Piper voice that was imported."""
    path = experiment.config_file.with_name(IMPORTED)
    if not path.is_file():
        raise ConfigError(
            f"{experiment}: no {IMPORTED} beside it, which import-piper writes; import "
            "the voice again"
        )
    imported = read_config(path)
    voice = espeak_voice or imported.espeak_voice
    language = require_language(espeak_voice) if espeak_voice else imported.language
    front_end = FrontEnd("phn", language=language, voice=voice)
    ids = {
        " " if token == SPACE else token: index
        for index, token in enumerate(experiment.config["token_list"])
        if not _is_unnamed(token)
    }
    symbols = PhonemeIds(ids, imported.phoneme_type, voice, ())
    pad = PiperPadding(*padding).pad
    return VoiceFrontEnd(experiment, front_end, front_end, symbols, pad, imported)


def _is_unnamed(token: str) -> bool:
    return token.startswith("<") and token != SPACE and len(token) > 1
