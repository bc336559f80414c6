"""Parameters of log-mel spectrograms, and the comparison of two of them."""

import math
from dataclasses import asdict, dataclass
from typing import Optional

from espnet_distill.errors import ConfigError, summarize

LABELS = {
    "fs": "sampling rate",
    "n_fft": "FFT size",
    "win_length": "window length",
    "hop_length": "hop length",
    "window": "window",
    "n_mels": "number of mels",
    "fmin": "lowest mel frequency",
    "fmax": "highest mel frequency",
    "log_base": "log base",
    "htk": "HTK mel scale",
    "normalized": "normalized STFT",
}


@dataclass
class MelSpec:
    """Parameters of a log-mel spectrogram, under the names of ESPnet's LogMelFbank.

    Sampling rate and frequencies are in Hz, FFT size and lengths in samples. None
    has ESPnet's meaning: a window as long as the FFT, mels from 0 Hz to half the
    sampling rate, the natural logarithm.
    """

    fs: int
    n_fft: int
    win_length: Optional[int]
    hop_length: int
    window: str
    n_mels: int
    fmin: Optional[float]
    fmax: Optional[float]
    log_base: Optional[float]
    htk: bool = False
    normalized: bool = False

    def __post_init__(self):
        self.fs, self.n_fft = int(self.fs), int(self.n_fft)
        self.hop_length, self.n_mels = int(self.hop_length), int(self.n_mels)
        self.win_length = int(_default(self.win_length, self.n_fft))
        self.fmin = float(_default(self.fmin, 0))
        self.fmax = float(_default(self.fmax, self.fs / 2))
        self.log_base = float(_default(self.log_base, math.e))

    @property
    def channels(self):
        """Channels of a frame, as of any input of a vocoder."""
        return self.n_mels

    @classmethod
    def of_extractor(cls, extractor):
        """Return the parameters of a model's ``feats_extract``."""
        from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

        if not isinstance(extractor, LogMelFbank):
            raise ConfigError(
                f"feats_extract: {type(extractor).__name__} makes no mels, which a "
                "vocoder needs; use feats_extract: fbank, or leave out --vocoder_file"
            )
        return cls(
            fs=extractor.fs,
            n_fft=extractor.n_fft,
            win_length=extractor.win_length,
            hop_length=extractor.hop_length,
            window=extractor.window,
            n_mels=extractor.n_mels,
            fmin=extractor.fmin,
            fmax=extractor.fmax,
            log_base=extractor.logmel.log_base,
            htk=extractor.logmel.mel_options["htk"],
            normalized=extractor.stft.normalized,
        )

    @classmethod
    def of_conf(cls, feats_extract_conf):
        """Return the parameters of ``feats_extract: fbank`` with a configuration."""
        from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

        try:
            extractor = LogMelFbank(**feats_extract_conf)
        except Exception as error:  # typeguard, librosa and torch each raise their own
            raise ConfigError(f"feats_extract_conf: {summarize(error)}") from error
        return cls.of_extractor(extractor)

    def extractor(self, **others):
        """Build ESPnet's LogMelFbank with these parameters.

        Args:
            others: Arguments that replace parameters. Frequencies are integers, as
                LogMelFbank requires.
        """
        from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

        conf = asdict(self) | {"fmin": int(self.fmin), "fmax": int(self.fmax)}
        if self.log_base == math.e:
            conf["log_base"] = None  # LogMelFbank's value for e
        return LogMelFbank(**(conf | others))

    def differences(self, other):
        """Yield (name, value, other's value) of each parameter that differs."""
        for name in LABELS:
            value, other_value = getattr(self, name), getattr(other, name)
            if not _are_equal(value, other_value):
                yield name, _format(value), _format(other_value)

    def require_fit(self, mels, vocoder_file):
        """Raise a ConfigError if a vocoder's mels differ from those of a model.

        Args:
            mels: The MelSpec of the model.
            vocoder_file: The vocoder, for the message.
        """
        differences = [
            f"{LABELS[name]} {value}, but the model's mels have {model_value} "
            f"(feats_extract_conf.{name})"
            for name, value, model_value in self.differences(mels)
        ]
        if differences:
            raise ConfigError(f"vocoder {vocoder_file}: " + "; ".join(differences))


def require_extractor(conf, whose):
    """Raise a ConfigError if a model has no feature extraction.

    Args:
        conf: The model's configuration. With ``odim`` the features are read from the
            data, and their parameters are unknown.
        whose: A prefix of the message.
    """
    if conf.get("odim") is not None:
        raise ConfigError(
            f"{whose}: odim: {conf['odim']}: its features come with its data, and the "
            "parameters of mels for a vocoder are unknown; name a model with "
            "feats_extract"
        )


def _default(value, default):
    return default if value is None else value


def _are_equal(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6)
    return a == b


def _format(value):
    if value == math.e:
        return "e"
    return f"{value:g}" if isinstance(value, float) else str(value)
