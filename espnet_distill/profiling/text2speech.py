"""Load an experiment for synthesis, strictly."""

from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment


def load(experiment: Experiment, vocoder_file: str | None = None):
    """Return ESPnet's ``Text2Speech`` of an experiment, with the plugin registered.

    Raises:
        ConfigError: A checkpoint whose keys differ from the model's (ESPnet's loader
            ignores such keys), a front end whose packages are not installed, or a
            model without a vocoder.
    """
    _ = experiment.clone().front_end  # strictly loaded, without keeping the model
    system = text2speech(experiment.config_file, experiment.checkpoint, vocoder_file)
    if system.tts.require_vocoder and system.vocoder is None:
        raise ConfigError(
            f"{experiment}: no feats_extract that Griffin-Lim could invert; "
            "give --vocoder"
        )
    return system


def text2speech(config: Path, model: Path, vocoder_file: str | None = None):
    """Return ESPnet's ``Text2Speech`` of validated files; register the plugin."""
    from espnet2.bin.tts_inference import Text2Speech

    import espnet_distill

    espnet_distill.register()
    return Text2Speech(train_config=config, model_file=model, vocoder_file=vocoder_file)
