"""Griffin-Lim for log-mels of any base."""

import logging
import math

from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank
from espnet2.utils.griffin_lim import Spectrogram2Waveform

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.utils.files import read_yaml


class GriffinLim(Spectrogram2Waveform):
    """ESPnet's Griffin-Lim, extended from log-mels of base 10 to those of any base.

    Args:
        log_base: base of the log-mels; None is e, as for ESPnet's LogMelFbank.
        **kwargs: arguments of ESPnet's Spectrogram2Waveform.
    """

    def __init__(self, log_base=10.0, **kwargs):
        super().__init__(**kwargs)
        self.params["log_base"] = log_base
        self.to_log10 = math.log10(math.e if log_base is None else log_base)

    def __call__(self, spc):
        """Synthesize a waveform (T_wav,) from log-mels (T, n_mels)."""
        return super().__call__(spc * self.to_log10)


def build_griffin_lim(extractor=None, config_file=None):
    """Build Griffin-Lim for the features of a model.

    Args:
        extractor: the model's ``feats_extract``, which overrides the file.
        config_file: YAML of arguments of GriffinLim.

    Returns:
        The vocoder, or None, as in ESPnet, if its parameters are unknown.
    """
    conf = {} if config_file is None else _read(config_file)
    if extractor is not None:
        conf.update(extractor.get_parameters())
    if conf.get("fmax", 0) is None and isinstance(conf.get("fs"), int):
        conf["fmax"] = (
            conf["fs"] // 2
        )  # the default of ESPnet has a type that its check refuses
    if isinstance(extractor, LogMelFbank):
        conf["log_base"] = extractor.logmel.log_base
    if not {"n_fft", "n_shift", "fs"} <= conf.keys():
        logging.warning("Griffin-Lim lacks n_fft, n_shift or fs: no waveforms")
        return None
    try:
        return GriffinLim(**conf)
    except Exception as error:  # typeguard raises its own
        raise ConfigError(
            f"{config_file or 'Griffin-Lim'}: {summarize(error)}"
        ) from error


def _read(config_file):
    conf = read_yaml(config_file)
    if not isinstance(conf, dict):
        raise ConfigError(f"{config_file}: not arguments of Griffin-Lim")
    return conf
