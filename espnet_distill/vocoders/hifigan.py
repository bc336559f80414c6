"""Load HiFi-GAN checkpoints into ESPnet's generator."""

import logging

import numpy as np
import torch
from espnet2.gan_tts.hifigan.hifigan import HiFiGANGenerator

from espnet_distill.errors import ConfigError
from espnet_distill.utils.validation import is_state_dict, require_finite
from espnet_distill.vocoders.checkpoint_formats import name_as_espnet

STATS_REMEDY = "copy them again from the vocoder's source"


class HiFiGANVocoder(torch.nn.Module):
    """A trained HiFi-GAN generator (https://arxiv.org/abs/2010.05646).

    Args:
        generator: the network, (1, n_mels, T) to (1, 1, T * hop length).
        fs: sampling rate in Hz.
        stats: mean and scale (n_mels,) that normalize its mels.
        mel_floor: lower bound to which log-mels are clamped, that of the training.
    """

    def __init__(self, generator, fs, stats=None, mel_floor=None):
        super().__init__()
        self.generator = generator
        self.fs = fs
        self.mel_floor = mel_floor
        mean, scale = stats or (None, None)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    @property
    def in_channels(self):
        """Number of mels."""
        return self.generator.input_conv.in_channels

    @torch.no_grad()
    def forward(self, feats):
        """Synthesize (T * hop length,) samples in [-1, 1] from log-mels (T, n_mels)."""
        if self.mel_floor is not None:
            feats = feats.clamp(min=self.mel_floor)
        if self.mean is not None:
            feats = (feats - self.mean) / self.scale
        return self.generator.inference(feats).view(-1)


def load_hifigan(vocoder_file, config):
    """Load a generator's checkpoint strictly, without its weight normalization.

    Args:
        vocoder_file: the checkpoint.
        config: its VocoderConfig.

    Raises:
        ConfigError: the checkpoint is unreadable, or not the network that ``config``
            describes.
    """
    state = _read_state(vocoder_file, config)
    stats = _take_stats(state, vocoder_file, config)
    weight_norm = any(key.endswith(".weight_g") for key in state)
    generator = _build_generator(config, weight_norm)
    _load_strictly(generator, state, vocoder_file)
    generator.remove_weight_norm()
    return HiFiGANVocoder(generator, config.mels.fs, stats, config.mel_floor).eval()


def _read_state(vocoder_file, config):
    try:
        state = torch.load(vocoder_file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a type of its own for each kind of damage
        raise ConfigError(
            f"vocoder {vocoder_file}: truncated, or not a checkpoint of weights alone "
            f"({type(error).__name__})"
        ) from error
    for key in config.state_path:
        if not isinstance(state, dict) or key not in state:
            raise ConfigError(
                f"vocoder {vocoder_file}: the checkpoint has no key "
                f"'{'.'.join(config.state_path)}', where {config.path} puts the weights"
            )
        state = state[key]
    if not is_state_dict(state):
        raise ConfigError(
            f"vocoder {vocoder_file}: '{'.'.join(config.state_path)}' holds no weights"
        )
    remedy = "name a checkpoint that did not diverge"
    require_finite(state, f"vocoder {vocoder_file}", remedy)
    return {name_as_espnet(key, config.rename): value for key, value in state.items()}


def _take_stats(state, vocoder_file, config):
    """Return (mean, scale) of the mels, popped from the state or read from a file."""
    if "mean" in state and "scale" in state:
        stats = state.pop("mean"), state.pop("scale")
    elif config.stats_file is None:
        return None
    elif config.stats_file.is_file():
        stats = _read_stats(config.stats_file)
    else:
        logging.warning(
            f"vocoder {vocoder_file}: no {config.stats_file.name} beside it; its mels "
            "are not normalized (prefer_normalized_feats: true for normalized mels)"
        )
        return None
    named = dict(zip(("mean", "scale"), stats))
    for name, values in named.items():
        if values.shape != (config.mels.n_mels,):
            raise ConfigError(
                f"vocoder {vocoder_file}: {name} of the mels has shape "
                f"{tuple(values.shape)}, not ({config.mels.n_mels},)"
            )
    where = f"vocoder {vocoder_file}: statistics of the mels"
    require_finite(named, where, STATS_REMEDY)
    if not (named["scale"] > 0).all():
        raise ConfigError(f"{where}: a scale is not above 0; {STATS_REMEDY}")
    return stats


def _read_stats(path):
    try:
        if path.suffix == ".h5":
            import h5py

            with h5py.File(path, "r") as file:
                stats = file["mean"][()], file["scale"][()]
        else:
            stats = np.load(path, allow_pickle=False)[:2]
        mean, scale = (torch.from_numpy(values).float().view(-1) for values in stats)
    except ImportError:
        raise ConfigError(f"{path}: needs h5py; pip install h5py") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not mean and scale ({error})") from error
    return mean, scale


def _build_generator(config, weight_norm):
    conf = {**config.generator_conf, "use_weight_norm": weight_norm}
    try:
        return HiFiGANGenerator(**conf)
    except (AssertionError, AttributeError, RuntimeError, TypeError) as error:
        raise ConfigError(
            f"{config.path}: not a generator that ESPnet can build ({error})"
        ) from error


def _load_strictly(generator, state, vocoder_file):
    expected = generator.state_dict()
    wrong = {
        "missing": sorted(expected.keys() - state.keys()),
        "unexpected": sorted(state.keys() - expected.keys()),
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(value.shape)}"
            for key, value in expected.items()
            if key in state and state[key].shape != value.shape
        ],
    }
    faults = [
        f"{len(keys)} {kind} ({', '.join(keys[:3])}{', …' if len(keys) > 3 else ''})"
        for kind, keys in wrong.items()
        if keys
    ]
    if faults:
        raise ConfigError(
            f"vocoder {vocoder_file}: weights do not fit its configuration: "
            + "; ".join(faults)
        )
    generator.load_state_dict(state)
