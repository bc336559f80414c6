"""Build vocoders from checkpoints and check that they fit a model's output."""

import logging

from espnet_distill.errors import ConfigError
from espnet_distill.utils.validation import require_finite


def build_vocoder(
    vocoder_file=None, vocoder_config_file=None, model=None, device="cpu"
):
    """Build the vocoder that ``Text2Speech`` calls as ``vocoder(feats)``.

    Args:
        vocoder_file: a HiFi-GAN generator in the original project's format or in
            ParallelWaveGAN's, any other ``.pkl`` of parallel_wavegan (which then must
            be installed), or None or "none" for Griffin-Lim.
        vocoder_config_file: its configuration; by default the ``config.json`` or
            ``config.yml`` beside it. For Griffin-Lim, a YAML file of its arguments.
        model: the ESPnetTTSModel that the vocoder has to fit: its ``feats_extract``, or
            the latents that a model without one predicts.
        device: the device of the vocoder.

    Returns:
        A callable from log-mels or latents (T, C) to a waveform (T_wav,), with the
        sampling rate ``fs``; None where Griffin-Lim lacks its parameters.

    Raises:
        ConfigError: the files cannot be used, or do not fit the model.
    """
    extractor = getattr(model, "feats_extract", None)
    if is_none(vocoder_file):
        from espnet_distill.vocoders.griffin_lim import build_griffin_lim

        return build_griffin_lim(extractor, vocoder_config_file)

    from espnet_distill.data.mel_spec import MelSpec

    mels = None if extractor is None else MelSpec.of_extractor(extractor)
    vocoder = load_vocoder(vocoder_file, mels, vocoder_config_file)
    if extractor is None:
        _require_channels(vocoder, model, vocoder_file)
    statistics = getattr(getattr(model, "normalize", None), "mean", None)
    if statistics is not None and hasattr(vocoder, "require_statistics"):
        vocoder.require_statistics(statistics, vocoder_file)
    return vocoder.to(device)


def check_vocoder(vocoder_file, feats_extract_conf, vocoder_config_file=None):
    """Check a vocoder as ``build_vocoder`` does, without a model.

    Args:
        vocoder_file: as for ``build_vocoder``; Griffin-Lim always passes.
        feats_extract_conf: this key of an ESPnet ``config.yaml``.
        vocoder_config_file: as for ``build_vocoder``.

    Raises:
        ConfigError: as for ``build_vocoder``.
    """
    if is_none(vocoder_file):
        return

    from espnet_distill.data.mel_spec import MelSpec

    mels = MelSpec.of_conf(feats_extract_conf)
    load_vocoder(vocoder_file, mels, vocoder_config_file)


def is_none(vocoder_file):
    """Return True if no vocoder is named, which selects Griffin-Lim."""
    return vocoder_file is None or str(vocoder_file).lower() in ("none", "null", "nil")


def load_vocoder(vocoder_file, mels=None, vocoder_config_file=None):
    """Load a vocoder that has weights, and check it against a MelSpec if given.

    Raises:
        ConfigError: as for ``build_vocoder``.
    """
    from espnet_distill.vocoders.checkpoint_formats import (
        find_config,
        is_distilled,
        read_config,
    )

    path = find_config(vocoder_file, vocoder_config_file)
    if is_distilled(path):
        from espnet_distill.vocoders.distilled import load_distilled

        vocoder = load_distilled(vocoder_file, path)
        if mels is not None:
            vocoder.require_mels(mels, vocoder_file)
        return vocoder
    config = read_config(vocoder_file, path)
    if mels is not None:
        config.mels.require_fit(mels, vocoder_file)
    if config.generator_conf is None:
        return _load_with_parallel_wavegan(vocoder_file, config.path)

    from espnet_distill.vocoders.hifigan import load_hifigan

    return load_hifigan(vocoder_file, config)


def _require_channels(vocoder, model, vocoder_file):
    """Raise a ConfigError if a vocoder does not take what a model predicts.

    The model extracts no features (``odim``): it predicts latents, or mels of settings
    that are unknown.
    """
    takes = getattr(vocoder, "in_channels", None)
    predicted = getattr(getattr(model, "tts", None), "odim", None)
    takes_latents = getattr(vocoder, "takes_latents", False)
    if takes and predicted and takes != predicted:
        raise ConfigError(
            f"vocoder {vocoder_file}: takes {takes} "
            f"{'latents' if takes_latents else 'mels'} a frame, but the model predicts "
            f"{predicted} features; name a vocoder that was trained on them"
        )
    if not takes_latents:
        logging.warning(
            f"vocoder {vocoder_file}: the model extracts no features, "
            "so their fit to the vocoder is not checked"
        )


def _load_with_parallel_wavegan(vocoder_file, vocoder_config_file):
    from espnet2.tts.utils import ParallelWaveGANPretrainedVocoder

    try:
        vocoder = ParallelWaveGANPretrainedVocoder(vocoder_file, vocoder_config_file)
    except ImportError as error:
        raise ConfigError(
            f"vocoder {vocoder_file}: not a HiFi-GAN generator, and the "
            f"parallel_wavegan package cannot be imported ({error})"
        ) from error
    remedy = "name a checkpoint that did not diverge"
    require_finite(vocoder.state_dict(), f"vocoder {vocoder_file}", remedy)
    return vocoder
