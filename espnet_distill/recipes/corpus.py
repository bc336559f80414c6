"""What a recipe is made from: the recordings of one speaker and their texts."""

from dataclasses import dataclass
from pathlib import Path

import soundfile

from espnet_distill.data.f0_range import measure_f0_range
from espnet_distill.data.metadata import Clip, read_clips
from espnet_distill.errors import ConfigError

FEWEST_CLIPS = 20
LONGEST = 20.0  # seconds; stage 4 of tts.sh leaves longer ones out
# Sampling rate → options of the mels: the usual ones at 16 kHz, HiFi-GAN's, and those
# of ESPnet's recipes at 24 kHz.
MELS = {
    16000: {"n_fft": 1024, "n_shift": 256, "fmin": 0, "fmax": 8000},
    22050: {"n_fft": 1024, "n_shift": 256, "fmin": 0, "fmax": 8000},
    24000: {
        **{"n_fft": 2048, "n_shift": 300, "win_length": 1200},
        **{"fmin": 80, "fmax": 7600},
    },
}


@dataclass(frozen=True)
class Corpus:
    """The recordings of one speaker.

    Attributes:
        clips: Recordings and texts, sorted by id, without those that tts.sh leaves out.
        long: The number of these, which are longer than 20 s.
        hours: Their length.
        rate: The lowest sampling rate of the recordings in Hz.
        f0: The bounds of F0 in Hz.
    """

    clips: list[Clip]
    long: int
    hours: float
    rate: int
    f0: tuple[int, int]

    @property
    def num_eval(self) -> int:
        """The number of clips that are held out: a tenth, from 4 to 128."""
        return min(128, max(4, len(self.clips) // 10))

    @property
    def num_dev(self) -> int:
        """The number of clips that validate: a thirtieth, from 2 to 32."""
        return min(32, max(2, len(self.clips) // 30))

    @property
    def num_train(self) -> int:
        """The number of clips that are left for the training."""
        return len(self.clips) - self.num_eval - self.num_dev


def read_corpus(metadata: Path, wavs: Path) -> Corpus:
    """Read and measure a corpus.

    Args:
        metadata: Lines ``id|text`` or ``id|text|normalized text``.
        wavs: The folder of the recordings.

    Raises:
        ConfigError: Lines or recordings are invalid, or there are too few of them.
    """
    if not metadata.is_file():
        raise ConfigError(f"--metadata: {metadata} is no file")
    if not wavs.is_dir():
        raise ConfigError(f"--wavs: {wavs} is no folder")
    clips = read_clips(metadata, wavs)
    infos = [soundfile.info(clip.audio) for clip in clips]
    used = [(c, info) for c, info in zip(clips, infos) if info.duration <= LONGEST]
    if len(used) < FEWEST_CLIPS:
        raise ConfigError(
            f"{metadata}: has {len(used)} recordings of at most {LONGEST:.0f} s, expected "
            f"at least {FEWEST_CLIPS}"
        )
    kept = [clip for clip, _ in used]
    return Corpus(
        kept,
        len(clips) - len(kept),
        sum(info.duration for _, info in used) / 3600,
        min(info.samplerate for _, info in used),
        measure_f0_range([clip.audio for clip in kept]),
    )


def choose_rate(corpus: Corpus, given: int | None = None) -> int:
    """Return the sampling rate of a training: 16000, 22050 or 24000.

    22050, that of HiFi-GAN's public generators, is the default of corpora that have
    another rate above it.

    Raises:
        ConfigError: The given rate is another, or above that of the corpus.
    """
    if given is not None and given not in MELS:
        raise ConfigError(f"--fs {given}: expected {', '.join(map(str, MELS))}")
    if corpus.rate < (given or min(MELS)):
        raise ConfigError(
            f"--fs {given or min(MELS)}: the corpus has recordings at {corpus.rate} Hz; "
            "take others, or resample them"
        )
    if given or corpus.rate in MELS:
        return given or corpus.rate
    return 22050 if corpus.rate > 22050 else 16000
