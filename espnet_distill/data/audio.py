"""Read and validate audio files.

All formats of libsndfile are supported: WAV, FLAC, Ogg, MP3 and others, of any sample
type.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_distill.errors import ConfigError, ErrorCollector, summarize
from espnet_distill.utils.files import read_rows

if TYPE_CHECKING:
    import numpy as np


MOST_FAULTS = 10  # reported of one table


UNKNOWN_SIZE = 0x7FFFF000  # bytes that a header written to a pipe announces, at least


LOUDEST = 8.0  # full scale is 1; integers that were stored as floats are far above


def require_audio(
    path: str | Path, utterance: str = "", rate: int | None = None, shortest: int = 1
) -> int:
    """Return the number of samples of a mono file, from its header.

    Args:
        path: The entry of a ``wav.scp``.
        utterance: The utterance's id, for messages.
        rate: The required sampling rate in Hz; None allows any.
        shortest: The minimum number of samples.

    Raises:
        ConfigError: The entry is a command, or the file is missing, truncated, too
            short, not audio, of several channels or of another sampling rate.
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
        length = f"has {info.frames} samples, expected at least {shortest}"
        length = length if info.frames else "is empty"
        raise ConfigError(f"{where}{length}; leave the utterance out")
    return info.frames


def read_audio(
    path: str | Path, utterance: str = "", rate: int | None = None, shortest: int = 1
) -> "tuple[np.ndarray, int]":
    """Return a waveform (samples,) as float32, full scale ±1, and its rate in Hz.

    Args:
        path, utterance, rate, shortest: As :func:`require_audio` takes them.

    Raises:
        ConfigError: :func:`require_audio` refuses the file, or samples are NaN,
            infinite or far above full scale.
    """
    import numpy as np
    import soundfile

    expected = require_audio(path, utterance, rate, shortest)
    where = f"{path}: {utterance}: " if utterance else f"{path}: "
    try:
        wave, own_rate = soundfile.read(path, dtype="float32")
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
    return wave, own_rate


def required_by(extractor) -> dict[str, int | None]:
    """Return a model's ``rate`` and ``shortest`` arguments of :func:`require_audio`.

    A centered STFT pads by reflection, which needs more samples than half a window.
    """
    parameters = extractor.get_parameters() if extractor else {}
    shortest = parameters.get("n_fft", 0) // 2 + 1
    return {"rate": parameters.get("fs"), "shortest": shortest}


def sampling_rate(path: str | Path) -> int:
    """Return the sampling rate of a file in Hz; errors as :func:`require_audio`."""
    import soundfile

    require_audio(path)
    return soundfile.info(path).samplerate


def read_audio_at(path: str | Path, rate: int) -> "np.ndarray":
    """Return a waveform (samples,) as :func:`read_audio` does, resampled to a rate."""
    import librosa

    wave, own_rate = read_audio(path)
    return librosa.resample(wave, orig_sr=own_rate, target_sr=rate)


def require_recordings(
    wav_scp: Path, utterances: Iterable[str], rate: int | None = None, shortest: int = 1
) -> dict[str, int]:
    """Return the number of samples of each utterance's file, from its header.

    Raises:
        ConfigError: :func:`require_audio` refuses files; the first ten are named.
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
    """Raise a ConfigError if a WAV header announces more bytes than the file has."""
    sizes = re.search(r"^data : (\d+) \(should be (\d+)\)", info.extra_info, re.M)
    announced, present = map(int, sizes.groups()) if sizes else (0, 0)
    if present < announced < UNKNOWN_SIZE:
        raise ConfigError(
            f"{where}is truncated: {present} of {announced} bytes; copy it again"
        )


def _reason(error: Exception) -> str:
    return summarize(error).rpartition(": ")[2].rstrip(".")
