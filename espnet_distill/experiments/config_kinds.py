"""Types of the values of an ESPnet TTS configuration."""

from collections.abc import Mapping

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
