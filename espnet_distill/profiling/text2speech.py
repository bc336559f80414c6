"""Load an experiment for synthesis, whole or not at all."""

from pathlib import Path

from espnet_distill.errors import ConfigError


def load(config: Path, model: Path, vocoder_file: str | None = None):
    """ESPnet's ``Text2Speech`` of an experiment, the plugin registered.

    Raises ConfigError for a checkpoint that does not fit the configuration key by key,
    which ESPnet's loader passes over, for text that cannot be read because something is
    not installed, and for a model without a vocoder.
    """
    import espnet_distill
    from espnet_distill.experiments.experiment import load_experiment
    from espnet_distill.experiments.text_frontend import build_front_end

    espnet_distill.register()
    _, args = load_experiment(config, model)
    build_front_end(args, str(config))
    system = text2speech(config, model, vocoder_file)
    if system.tts.require_vocoder and system.vocoder is None:
        raise ConfigError(
            f"{config}: no feats_extract that Griffin-Lim could invert; "
            "give --vocoder_file"
        )
    return system


def text2speech(config: Path, model: Path, vocoder_file: str | None = None):
    """ESPnet's ``Text2Speech``, the plugin registered, of files known to be good."""
    from espnet2.bin.tts_inference import Text2Speech

    import espnet_distill

    espnet_distill.register()
    return Text2Speech(train_config=config, model_file=model, vocoder_file=vocoder_file)
