"""Encode speech for the page: MP3, spectrogram image, F0 contour."""

import base64
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import librosa
import numpy as np
import pyworld
import soundfile
from PIL import Image

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics.f0 import CEILING, FLOOR

RATES = (4000, 384_000)  # that are read


MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


QUALITY = 0.3  # of libsndfile's variable bit rate, 0 the best: 50 kbit/s for speech


FFT, MELS, COLUMNS_A_SECOND = 1024, 80, 64


RANGE = 70  # dB below the maximum that a spectrogram shows


SHADES = 64


PITCH_MS = 10


@dataclass(frozen=True)
class Sound:
    """An encoded audio file; ``pitch`` is F0 in Hz every 10 ms, 0 where unvoiced."""

    seconds: float
    audio: str
    picture: str
    pitch: np.ndarray

    @property
    def size(self) -> int:
        """Length of its data URIs in characters."""
        return len(self.audio) + len(self.picture)


def read_sound(path: Path) -> Sound:
    """Read and encode an audio file; see :func:`read_wave` for errors."""
    wave, rate = read_wave(path)
    return Sound(
        seconds=len(wave) / rate,
        audio=mp3_uri(wave, rate),
        picture=data_uri("image/png", _spectrogram(wave, rate)),
        pitch=_pitch(wave, rate),
    )


def read_wave(path: Path) -> tuple[np.ndarray, int]:
    """Return the mean of an audio file's channels, (samples,), and its sampling rate.

    Raises:
        ConfigError: The file is not readable or empty, has NaN, or no rate of speech.
    """
    try:
        wave, rate = soundfile.read(path, always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): evaluate again") from error
    if not len(wave):
        raise ConfigError(f"{path} is empty: leave the utterance out of the data")
    if not RATES[0] <= rate <= RATES[1]:
        raise ConfigError(f"{path} has {rate} samples a second: evaluate again")
    if not np.isfinite(wave).all():
        raise ConfigError(f"{path} has NaN or infinity: evaluate again")
    return wave.mean(axis=1), rate


def mp3_uri(wave: np.ndarray, rate: int) -> str:
    """Encode a waveform as MP3, in a data URI."""
    return data_uri("audio/mpeg", _mp3(wave, rate))


def data_uri(kind: str, content: bytes) -> str:
    """Return content as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _mp3(wave: np.ndarray, rate: int) -> bytes:
    if rate not in MP3_RATES:
        higher = min((r for r in MP3_RATES if r > rate), default=MP3_RATES[-1])
        wave, rate = librosa.resample(wave, orig_sr=rate, target_sr=higher), higher
    file = io.BytesIO()
    soundfile.write(
        file,
        wave,
        rate,
        format="MP3",
        bitrate_mode="VARIABLE",
        compression_level=QUALITY,
    )
    return file.getvalue()


def _spectrogram(wave: np.ndarray, rate: int) -> bytes:
    """Return a PNG of the log-mel spectrogram, low frequencies at the bottom."""
    power = librosa.feature.melspectrogram(
        y=np.pad(wave, (0, max(0, FFT - len(wave)))),
        sr=rate,
        n_fft=FFT,
        hop_length=max(1, rate // COLUMNS_A_SECOND),
        n_mels=MELS,
    )
    level = librosa.power_to_db(power, ref=np.max, top_db=RANGE) / RANGE + 1
    shades = np.clip(level * (SHADES - 1), 0, SHADES - 1).round().astype(np.uint8)
    image = Image.fromarray(shades[::-1], mode="P")
    image.putpalette(_palette())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


@cache
def _palette() -> bytes:
    import matplotlib

    colors = matplotlib.colormaps["magma"](np.linspace(0, 1, SHADES), bytes=True)
    return colors[:, :3].tobytes()


def _pitch(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return F0 by WORLD's DIO and StoneMask, ten times as fast as Harvest."""
    wave = np.ascontiguousarray(wave, np.float64)
    f0, times = pyworld.dio(wave, rate, FLOOR, CEILING, frame_period=PITCH_MS)
    return pyworld.stonemask(wave, f0, times, rate)
