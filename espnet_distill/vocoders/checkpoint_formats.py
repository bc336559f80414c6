"""Configurations of HiFi-GAN generators: the original format and ParallelWaveGAN's."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.locate import locate
from espnet_distill.utils.files import check_file, read_json, read_yaml


@dataclass
class VocoderConfig:
    """A vocoder's configuration, converted to ESPnet's arguments.

    Attributes:
        path: the configuration file.
        mels: settings of the features that the vocoder was trained on.
        generator_conf: arguments of ESPnet's HiFiGANGenerator; None if the vocoder is
            of another kind.
        state_path: keys of the generator's state in the checkpoint.
        rename: maps a key of that state to ESPnet's.
        mel_floor: lower bound of the log-mels in training, if known.
        stats_file: mean and scale of the mels (ParallelWaveGAN), which may not exist.
    """

    path: Path
    mels: MelSpec
    generator_conf: Optional[Dict]
    state_path: Tuple[str, ...]
    rename: Callable[[str], str] = str
    mel_floor: Optional[float] = None
    stats_file: Optional[Path] = None


def find_checkpoint(vocoder: str | None, option: str) -> str | None:
    """Return the checkpoint of a vocoder: a file, or that of an experiment folder.

    Args:
        vocoder: A path, or None.
        option: A prefix of the message.

    Raises:
        ConfigError: There is no such file, or no checkpoint in the folder.
    """
    if vocoder and Path(vocoder).is_dir():
        return str(locate(vocoder)[1])
    check_file(vocoder, option)
    return vocoder


def find_config(vocoder_file, config_file=None):
    """Return a vocoder's configuration, by default the file beside the checkpoint.

    Raises:
        ConfigError: there is no such checkpoint, or no configuration.
    """
    vocoder_file = Path(vocoder_file)
    if not vocoder_file.is_file():
        raise ConfigError(f"vocoder {vocoder_file}: no such file")
    if config_file:
        return Path(config_file)
    names = {
        ".pkl": ("config.yml", "config.json"),
        ".pth": ("config.yaml", "config.json", "config.yml"),
    }.get(vocoder_file.suffix, ("config.json", "config.yml"))
    for name in names:
        path = vocoder_file.with_name(name)
        if path.is_file():
            return path
    raise ConfigError(
        f"vocoder {vocoder_file}: no {' or '.join(names)} beside it; "
        "put it there or name it with --vocoder_config"
    )


def files_of(vocoder_file):
    """Return a vocoder's files: checkpoint, configuration, and statistics if present.

    Raises:
        ConfigError: there is no such checkpoint, or no configuration.
    """
    vocoder_file = Path(vocoder_file)
    stats = (vocoder_file.with_name(f"stats.{suffix}") for suffix in ("h5", "npy"))
    return [vocoder_file, find_config(vocoder_file), *filter(Path.is_file, stats)]


def is_distilled(config):
    """Return True for the configuration of a vocoder that the plugin has trained."""
    config = _parse(config)
    return config.get("tts") == "vocoder"


def read_config(vocoder_file, config_file=None):
    """Read the configuration of a vocoder, by default from the file beside it.

    Raises:
        ConfigError: a file is missing, or no vocoder can be built from it.
    """
    path = find_config(vocoder_file, config_file)
    config = _parse(path)
    try:
        if "generator_params" in config:
            vocoder = _read_parallel_wavegan(path, config, Path(vocoder_file).parent)
        else:
            vocoder = _read_original(path, config)
        if vocoder.generator_conf is not None:
            _require_consistency(vocoder)
    except ConfigError:
        raise
    except KeyError as error:
        raise ConfigError(f"{path}: key {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return vocoder


def _parse(path):
    config = read_json(path) if path.suffix == ".json" else read_yaml(path)
    if not isinstance(config, dict):
        raise ConfigError(f"{path}: not a vocoder's configuration")
    return config


def _read_original(path, config):
    """Read ``config.json`` of https://github.com/jik876/hifi-gan."""
    scales = config["upsample_rates"]
    if any(scale % 2 for scale in scales):
        raise ConfigError(
            f"{path}: upsample_rates {scales} has an odd rate, "
            "which ESPnet's generator pads in another way"
        )
    generator_conf = dict(
        in_channels=config["num_mels"],
        channels=config["upsample_initial_channel"],
        upsample_scales=scales,
        upsample_kernel_sizes=config["upsample_kernel_sizes"],
        resblock_kernel_sizes=config["resblock_kernel_sizes"],
        resblock_dilations=config["resblock_dilation_sizes"],
        use_additional_convs=_has_second_convs(path, config["resblock"]),
    )
    return VocoderConfig(
        path=path,
        mels=MelSpec(
            fs=config["sampling_rate"],
            n_fft=config["n_fft"],
            win_length=config["win_size"],
            hop_length=config["hop_size"],
            window="hann",
            n_mels=config["num_mels"],
            fmin=config["fmin"],
            fmax=config["fmax"],
            log_base=math.e,
        ),
        generator_conf=generator_conf,
        state_path=("generator",),
        rename=_rename_original,
        mel_floor=math.log(1e-5),
    )


PARAMETRIZED = {"original0": "weight_g", "original1": "weight_v"}


def name_as_espnet(key, rename=str):
    """Return ESPnet's name of a generator's tensor.

    Args:
        key: its name in a checkpoint, which may contain DataParallel's ``module.`` and
            the names of PyTorch's parametrized weight normalization.
        rename: maps the project's names to ESPnet's.
    """
    key = key.removeprefix("module.")
    path, _, kind = key.rpartition(".parametrizations.weight.")
    if path and kind in PARAMETRIZED:
        key = f"{path}.{PARAMETRIZED[kind]}"
    return rename(key)


def _has_second_convs(path, resblock):
    try:
        return {"1": True, "2": False}[str(resblock)]
    except KeyError:
        raise ConfigError(f"{path}: resblock is {resblock!r}, not '1' or '2'") from None


def _rename_original(key):
    for pattern, replacement in (
        (r"^conv_pre\.", "input_conv."),
        (r"^ups\.(\d+)\.", r"upsamples.\1.1."),
        (r"^resblocks\.(\d+)\.(convs[12])\.(\d+)\.", r"blocks.\1.\2.\3.1."),
        (r"^resblocks\.(\d+)\.convs\.(\d+)\.", r"blocks.\1.convs1.\2.1."),
        (r"^conv_post\.", "output_conv.1."),
    ):
        key = re.sub(pattern, replacement, key)
    return key


def _read_parallel_wavegan(path, config, folder):
    """Read ``config.yml`` of https://github.com/kan-bayashi/ParallelWaveGAN."""
    rate, mel_rate = config["sampling_rate"], config.get("sampling_rate_for_feats")
    if mel_rate not in (None, rate):
        raise ConfigError(
            f"{path}: sampling_rate_for_feats: mels of {mel_rate} Hz, waveforms of "
            f"{rate} Hz; name a vocoder whose waveforms have the rate of its mels"
        )
    extension = "h5" if config.get("format", "hdf5") == "hdf5" else "npy"
    return VocoderConfig(
        path=path,
        mels=MelSpec(
            fs=rate,
            n_fft=config["fft_size"],
            win_length=config["win_length"],
            hop_length=config["hop_size"],
            window=config["window"],
            n_mels=config["num_mels"],
            fmin=config["fmin"],
            fmax=config["fmax"],
            log_base=config.get("log_base", 10.0),
        ),
        generator_conf=_hifigan_params(config),
        state_path=("model", "generator"),
        stats_file=folder / f"stats.{extension}",
    )


def _hifigan_params(config):
    """Return the arguments of ESPnet's generator, or None if it has no equivalent."""
    params = dict(config["generator_params"])
    causal = params.pop("use_causal_conv", False)
    multiband = params.get("out_channels", 1) > 1
    if config.get("generator_type") != "HiFiGANGenerator" or causal or multiband:
        return None
    if "upsample_kernal_sizes" in params:  # spelt so in early releases
        params["upsample_kernel_sizes"] = params.pop("upsample_kernal_sizes")
    return params


def _require_consistency(vocoder):
    conf, mels = vocoder.generator_conf, vocoder.mels
    scales, kernels = conf["upsample_scales"], conf["upsample_kernel_sizes"]
    if math.prod(scales) != mels.hop_length:
        raise ConfigError(
            f"{vocoder.path}: upsampling by {scales} makes {math.prod(scales)} samples "
            f"a frame, but hop_size is {mels.hop_length}"
        )
    if kernels != [2 * scale for scale in scales]:
        raise ConfigError(
            f"{vocoder.path}: upsample_kernel_sizes {kernels} are not twice the rates "
            f"{scales}, as ESPnet's generator requires"
        )
    if conf["in_channels"] != mels.n_mels:
        raise ConfigError(
            f"{vocoder.path}: in_channels is {conf['in_channels']}, "
            f"but num_mels is {mels.n_mels}"
        )
