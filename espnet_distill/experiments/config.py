"""Read an ESPnet TTS configuration and check the types of its values."""

from collections.abc import Mapping
from pathlib import Path

from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.utils.config_values import (
    as_list,
    as_mapping,
    as_number,
    as_text,
    as_whole,
    require_values,
    shown,
)
from espnet_distill.utils.files import read_yaml

AUTOREGRESSIVE = ("tacotron2", "transformer")  # values of tts; they take no durations


def as_tokens(value, where: str) -> None:
    """Raise a ConfigError unless a value is a list of tokens or the path of one."""
    if isinstance(value, str):
        return
    for index, token in enumerate(as_list(value, where)):
        if not isinstance(token, str):
            raise ConfigError(
                f"{where}: token {index}: expected text, got {shown(token)}; quote it"
            )


def as_data(value, where: str) -> None:
    """Raise a ConfigError unless a value is a list of (path, name, type) of data."""
    as_list(value, where, of=_as_triple)


def _as_triple(value, where: str) -> None:
    if len(as_list(value, where, of=as_text)) != 3:
        raise ConfigError(f"{where}: expected path, name and type, got {shown(value)}")


def _as_count(value, where: str) -> None:
    as_whole(value, where, least=1)


STATISTICS = {  # the features whose statistics a key names as its stats_file
    "normalize_conf": "feats",
    "pitch_normalize_conf": "pitch",
    "energy_normalize_conf": "energy",
}


def statistics_name(kind: str) -> str:
    """Return the file name of the statistics of feats, pitch or energy."""
    return f"{kind}_stats.npz"


TEXTS = (
    *("tts", "feats_extract", "normalize", "pitch_extract", "pitch_normalize"),
    *("energy_extract", "energy_normalize", "token_type", "cleaner", "g2p"),
    *("bpemodel", "output_dir"),
)


KINDS = {
    **dict.fromkeys(TEXTS, as_text),
    "odim": _as_count,
    "token_list": as_tokens,
    "train_data_path_and_name_and_type": as_data,
    "valid_data_path_and_name_and_type": as_data,
}


OF_MODEL = {
    "reduction_factor": _as_count,
    **dict.fromkeys(("spks", "langs", "spk_embed_dim"), as_number),
}


OF_STATISTICS = {"stats_file": as_text}


def require_kinds(conf: Mapping, whose: str = "") -> None:
    """Raise a ConfigError if keys that the package uses have values of a wrong type.

    Args:
        conf: An experiment's configuration, or the arguments of a training.
        whose: A prefix of each line.

    Raises:
        ConfigError: Values are of a wrong type; one line per key.
    """
    subkeys = {"tts_conf": OF_MODEL, "normalize_conf": OF_STATISTICS}
    subkeys |= {f"{kind}_normalize_conf": OF_STATISTICS for kind in ("pitch", "energy")}
    with ErrorCollector() as faults:
        faults.check(require_values, conf, KINDS, whose)
        mappings = {key: as_mapping for key in conf if str(key).endswith("_conf")}
        faults.check(require_values, conf, mappings, whose)
        for key, kinds in subkeys.items():
            if isinstance(conf.get(key), dict):
                faults.check(require_values, conf[key], kinds, f"{whose}{key}.")


def read_config(config: Path) -> dict:
    """Read an experiment's configuration and check the types of its values.

    Raises:
        ConfigError: The file cannot be read, is no TTS configuration, or has values of
            a wrong type; one line per value.
    """
    conf = read_keys(config)
    require_kinds(conf, f"{config}: ")
    return conf | {"tts_conf": conf.get("tts_conf") or {}}


def read_keys(config: Path) -> dict:
    """Read a configuration as `read_config` does, without checking its values."""
    conf = read_yaml(config)
    if conf is None:
        raise ConfigError(f"{config}: is empty; it is no ESPnet TTS configuration")
    if not isinstance(conf, dict) or "tts" not in conf:
        raise ConfigError(f"{config}: no `tts` key; it is no ESPnet TTS configuration")
    return conf
