"""Configurations of models that synthesize waveforms: VITS, JETS, JointText2Wav."""

from collections.abc import Mapping

from espnet_distill.errors import ConfigError
from espnet_distill.utils.config_values import as_whole

CLASSES = ("vits", "jets", "joint_text2wav", "vits_synthesizer", "jets_synthesizer")
# Those whose waveform decoder takes latents, which a vocoder can be trained on.
WITH_DECODER = tuple(name for name in CLASSES if name != "joint_text2wav")
# Parts of a `tts` module that synthesis does not run.
TRAINING_ONLY = (
    *("discriminator.", "mel_loss.", "generator.posterior_encoder."),
    *("generator.duration_predictor.post_", "generator.duration_predictor.flows.1."),
    "generator.alignment_module.",
)
FASTSPEECH2 = "fastspeech2"  # ESPnet's default of `text2mel_type`
RATE = 22050  # ESPnet's default of `sampling_rate`


def is_text_to_wave(conf: Mapping) -> bool:
    """Return True if a configuration is of a model that synthesizes waveforms."""
    return conf.get("tts") in CLASSES


def text2mel_class(conf: Mapping) -> str | None:
    """Return the class of text-to-mel models that has the weights of a model's.

    Returns:
        A choice of ``--tts``; None for VITS, which has no such part.
    """
    tts = conf.get("tts")
    if tts == "joint_text2wav":
        return (conf.get("tts_conf") or {}).get("text2mel_type", FASTSPEECH2)
    if tts in ("jets", "jets_synthesizer"):
        return FASTSPEECH2
    return None if is_text_to_wave(conf) else tts


def require_text_to_wave(conf: Mapping, whose: str) -> None:
    """Raise a ConfigError unless a configuration's model synthesizes waveforms."""
    if not is_text_to_wave(conf):
        raise ConfigError(
            f"{whose}: tts: {conf.get('tts')}: synthesizes no waveform; models that do "
            f"are {', '.join(CLASSES)}"
        )


def sampling_rate(conf: Mapping, whose: str) -> int:
    """Return the sampling rate of a model's waveforms in Hz."""
    rate = (conf.get("tts_conf") or {}).get("sampling_rate", RATE)
    return as_whole(rate, f"{whose}: tts_conf.sampling_rate", 1)


def parameters(conf: Mapping) -> dict:
    """Return the keys of ``tts_conf`` with those of its generator or text2mel part."""
    tts_conf = conf.get("tts_conf") or {}
    parts = (tts_conf.get(f"{part}_params") or {} for part in ("generator", "text2mel"))
    return {key: value for part in (tts_conf, *parts) for key, value in part.items()}


def condition_channels(conf: Mapping | None) -> int:
    """Return the size of the global conditioning of a VITS's decoder; 0 without one.

    Args:
        conf: `generator_params` of its `tts_conf`, if it has them.
    """
    conf = conf or {}
    conditions = (conf.get("spks") or 0) > 1, (conf.get("langs") or 0) > 1
    if any(conditions) or (conf.get("spk_embed_dim") or 0) > 0:
        return conf["global_channels"]
    return 0


def conditioning_of(conf: Mapping) -> int:
    """Return the size of the global conditioning of a model's waveform decoder.

    Args:
        conf: The configuration of an experiment. Only VITS has such a conditioning.
    """
    if conf["tts"] not in ("vits", "vits_synthesizer"):
        return 0
    return condition_channels(conf["tts_conf"].get("generator_params"))
