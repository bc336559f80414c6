"""One reader for audio files, and what is required of them wherever they are used.

Files are what libsndfile reads: WAV, FLAC, Ogg, MP3 and others, samples of any type.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_distill.errors import ConfigError, ErrorCollector, summarize
from espnet_distill.utils.files import read_rows

if TYPE_CHECKING:
    import numpy as np


MOST_FAULTS = 10  # of a table: what is wrong with the first is mostly so with the rest


UNKNOWN_SIZE = 0x7FFFF000  # a header written to a pipe promises at least as many bytes


LOUDEST = 8.0  # full scale is 1; integers that were stored as floats are far above


def require_audio(
    path: str | Path, utterance: str = "", rate: int | None = None, shortest: int = 1
) -> int:
    """Return the samples of a mono file, by its header.

    Args:
        path: What a ``wav.scp`` has for an utterance.
        utterance: Its id, which messages then name.
        rate: Hz that the file must have; None allows any.
        shortest: Samples that it must have.

    Raises:
        ConfigError: A command in place of a file, a file that is missing, truncated,
            too short or no audio, several channels, another sampling rate.
    """
    import soundfile

    where = f"{path}: {utterance}: " if utterance else f"{path}: "
    if str(path).rstrip().endswith("|"):
        raise ConfigError(
            f"{where}is a command, expected a file; write its audio to files, as "
            "stage 3 of tts.sh does (dump/raw/<set>)"
        )
    if not Path(path).is_file():
        raise ConfigError(f"{where}no such file; run in the recipe's folder")
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: no header
        raise ConfigError(
            f"{where}cannot be read as audio ({_reason(error)}); give WAV, FLAC or "
            "another format of libsndfile"
        ) from None
    _require_whole(info, where)
    if info.channels != 1:
        raise ConfigError(
            f"{where}has {info.channels} channels, expected 1; mix them down"
        )
    if rate is not None and info.samplerate != rate:
        raise ConfigError(
            f"{where}has {info.samplerate} Hz, expected {rate}; resample it, as stage "
            "3 of tts.sh does"
        )
    if info.frames < shortest:
        found = f"has {info.frames} samples, expected at least {shortest}"
        found = found if info.frames else "is empty"
        raise ConfigError(f"{where}{found}; leave the utterance out")
    return info.frames


def read_audio(
    path: str | Path, utterance: str = "", rate: int | None = None, shortest: int = 1
) -> "tuple[np.ndarray, int]":
    """Return a waveform (samples,) of float32, full scale at ±1, and its rate in Hz.

    Args:
        path, utterance, rate, shortest: As :func:`require_audio` takes them.

    Raises:
        ConfigError: What :func:`require_audio` refuses, and samples that are not finite
            or far above full scale.
    """
    import numpy as np
    import soundfile

    expected = require_audio(path, utterance, rate, shortest)
    where = f"{path}: {utterance}: " if utterance else f"{path}: "
    try:
        wave, found = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise ConfigError(
            f"{where}cannot be read to its end ({_reason(error)}); copy it again"
        ) from None
    if len(wave) < expected:
        raise ConfigError(
            f"{where}is truncated: {len(wave)} of {expected} samples; copy it again"
        )
    if not np.isfinite(wave).all():
        count = np.count_nonzero(~np.isfinite(wave))
        raise ConfigError(
            f"{where}{count} samples are NaN or infinite; write the file again"
        )
    if (peak := np.abs(wave).max(initial=0)) > LOUDEST:
        raise ConfigError(
            f"{where}samples reach {peak:g}, expected at most 1; scale them"
        )
    return wave, found


def required_by(extractor) -> dict[str, int | None]:
    """Return what a model's ``feats_extract`` requires, for :func:`require_audio`.

    Its centred transform pads by reflection, which wants more than half a window.
    """
    parameters = extractor.get_parameters() if extractor else {}
    shortest = parameters.get("n_fft", 0) // 2 + 1
    return {"rate": parameters.get("fs"), "shortest": shortest}


def sampling_rate(path: str | Path) -> int:
    """Return the sampling rate of a file in Hz; refusals as :func:`require_audio`."""
    import soundfile

    require_audio(path)
    return soundfile.info(path).samplerate


def read_audio_at(path: str | Path, rate: int) -> "np.ndarray":
    """Return a waveform (samples,) as :func:`read_audio` does, resampled to a rate."""
    import librosa

    wave, found = read_audio(path)
    return librosa.resample(wave, orig_sr=found, target_sr=rate)


def require_recordings(
    wav_scp: Path, utterances: Iterable[str], rate: int | None = None, shortest: int = 1
) -> dict[str, int]:
    """Return the samples of each utterance's file in a ``wav.scp``, by its header.

    Raises:
        ConfigError: What :func:`require_audio` refuses, of the first ten that have it.
    """
    utterances = list(utterances)
    table = read_rows(wav_scp, utterances)
    lengths = {}
    with ErrorCollector() as faults:
        for utterance in utterances:
            lengths[utterance] = faults.check(
                require_audio, table[utterance], utterance, rate, shortest
            )
            if len(faults.lines) == MOST_FAULTS:
                break
    return lengths


def _require_whole(info, where: str) -> None:
    """Refuse a WAV file whose header promises more than there is."""
    sizes = re.search(r"^data : (\d+) \(should be (\d+)\)", info.extra_info, re.M)
    promised, there = map(int, sizes.groups()) if sizes else (0, 0)
    if there < promised < UNKNOWN_SIZE:
        raise ConfigError(
            f"{where}is truncated: {there} of {promised} bytes; copy it again"
        )


def _reason(error: Exception) -> str:
    return summarize(error).rpartition(": ")[2].rstrip(".")
