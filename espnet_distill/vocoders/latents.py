"""Latents of a text-to-waveform model as the input of a vocoder, and their dump.

A dump that :mod:`espnet_distill.bin.dump_speech` has written with ``--latents`` gets,
by :mod:`espnet_distill.bin.dump_f0`,

    f0.scp             utterance and path of an array (T,): F0 of the waveform, or 0
    latents_stats.npz  count, sum and sum of squares of the latents, for GlobalMVN
    latents.yaml       a LatentSpec; written last

A dump of a decoder with a component of free phases may have it, for a generator that
predicts it, too:

    free_phase.scp     utterance and path of an array (T * hop length,)
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import yaml

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError
from espnet_distill.utils.config_values import as_mapping, as_text, as_whole
from espnet_distill.utils.files import (
    read_table,
    read_yaml,
    write_text,
    written_whole,
)
from espnet_distill.utils.validation import require_finite
from espnet_distill.utils.whole_files import is_whole_array, is_whole_wav

SPEC, STATISTICS = "latents.yaml", "latents_stats.npz"
REMEDY = "run espnet_distill.bin.dump_f0 for it"
LISTS = {  # data name: its list and type in a dump
    "latents": ("latents.scp", "npy"),
    "f0": ("f0.scp", "npy"),
    "teacher_wave": ("wav/wav.scp", "sound"),
}
CONDITION = ("condition.scp", "npy")  # of a decoder with global conditioning
FREE_PHASE = ("free_phase.scp", "npy")  # a component of the waveform, (samples,)


@dataclass(frozen=True)
class LatentSpec:
    """What a waveform decoder is given, under the names of MelSpec where it has them.

    Attributes:
        fs: Sampling rate of the waveforms in Hz.
        hop_length: Samples a frame.
        channels: Of the latents.
        condition_channels: Of the global conditioning; 0 without one.
        model_sha256: Checksum of the weights of the model that computes the latents.
    """

    fs: int
    hop_length: int
    channels: int
    condition_channels: int
    model_sha256: str

    @classmethod
    def of(cls, values: Mapping, where: str) -> "LatentSpec":
        """Read the values of a mapping.

        Raises:
            ConfigError: One is missing or of a wrong type; `where` begins the message.
        """
        as_mapping(values, where)
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            raise ConfigError(f"{where}: expected {', '.join(sorted(known))}; {REMEDY}")
        for name in known - {"model_sha256"}:
            least = 0 if name == "condition_channels" else 1
            as_whole(values[name], f"{where}.{name}", least=least)
        as_text(values["model_sha256"], f"{where}.model_sha256")
        return cls(**values)

    @classmethod
    def of_set(cls, folder: Path) -> "LatentSpec":
        """Read the specification of one set of a finished dump.

        Raises:
            ConfigError: There is none, or files of the set are missing or incomplete.
        """
        path = folder / SPEC
        if not path.is_file():
            raise ConfigError(f"{folder}: has no F0 of its waveforms; {REMEDY}")
        spec = cls.of(read_yaml(path), str(path))
        lists = spec.lists
        if (folder / FREE_PHASE[0]).is_file():
            lists = lists | {"free_phase": FREE_PHASE}
        for name, (scp, kind) in lists.items():
            is_whole = is_whole_wav if kind == "sound" else is_whole_array
            for file in map(Path, read_table(folder / scp).values()):
                if not is_whole(file):
                    raise ConfigError(
                        f"{file}: is missing or incomplete; dump the {name} again"
                    )
        return spec

    @property
    def lists(self) -> dict[str, tuple[str, str]]:
        """The lists of a dump's files, and their types, by data name."""
        return LISTS | ({"condition": CONDITION} if self.condition_channels else {})

    def as_dict(self) -> dict:
        """Return the values of the file."""
        return asdict(self)

    def mels(self) -> MelSpec:
        """Return mels of the waveforms, for a loss."""
        return MelSpec(
            fs=self.fs,
            n_fft=4 * self.hop_length,
            win_length=None,
            hop_length=self.hop_length,
            window="hann",
            n_mels=80,
            fmin=0,
            fmax=None,
            log_base=None,
        )


def write_specification(
    folder: Path, spec: LatentSpec, latents: Mapping[str, str]
) -> None:
    """Write the statistics of a set's latents and, last, its specification.

    Args:
        folder: The set.
        spec: The settings of its latents.
        latents: Utterance and path of an array (T, C).

    Raises:
        ConfigError: An array has another number of channels, or values that are not
            finite.
    """
    write_statistics(folder / STATISTICS, latents, spec.channels)
    write_text(folder / SPEC, yaml.safe_dump(spec.as_dict(), sort_keys=False))


def write_statistics(target: Path, latents: Mapping[str, str], channels: int) -> None:
    """Write count, sum and sum of squares of latents, for GlobalMVN.

    Args:
        target: The file.
        latents: Utterance and path of an array (T, channels).
        channels: Of the latents.

    Raises:
        ConfigError: An array has another number of channels, or values that are not
            finite.
    """
    count, total, squares = 0, np.zeros(channels), np.zeros(channels)
    for path in latents.values():
        array = np.load(path, allow_pickle=False).astype(np.float64)
        if array.ndim != 2 or array.shape[1] != channels:
            raise ConfigError(
                f"{path}: shape {array.shape}, not (T, {channels}); dump the speech again"
            )
        count += len(array)
        total += array.sum(0)
        squares += np.square(array).sum(0)
    require_finite({"latents": squares}, str(target.parent), "dump the speech again")
    with written_whole(target) as beside:
        np.savez(beside, count=count, sum=total, sum_square=squares)


def is_latent_dump(folder) -> bool:
    """Return True if the training set of a dump has latents."""
    return bool(folder) and (Path(folder) / "train" / LISTS["latents"][0]).is_file()


def input_of(conf: Mapping, where: str = "") -> MelSpec | LatentSpec:
    """Return the input of a vocoder by its configuration.

    Args:
        conf: An experiment's configuration, or the arguments of a training.
        where: A prefix of messages.
    """
    tts_conf = conf.get("tts_conf") or {}
    if isinstance(tts_conf, Mapping) and "latents" in tts_conf:
        return LatentSpec.of(tts_conf["latents"], f"{where}tts_conf.latents")
    return MelSpec.of_conf(conf.get("feats_extract_conf") or {})
