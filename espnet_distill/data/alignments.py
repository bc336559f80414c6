"""Alignments of a data folder, their scores, and the utterances without one."""

import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite, isnan
from pathlib import Path
from statistics import fmean, median

from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

from espnet_distill.data.audio import read_audio, require_recordings
from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import (
    folder_written_whole,
    read_table,
    write_csv,
    write_text,
)

COLUMNS = ("utterance", "tokens", "frames", "longest", "score", "left_out")


QUALITY = "alignment.txt"
WORST = 10  # utterances that the report lists


# In median deviations: 6 standard deviations of normally distributed scores.
MAX_DEVIATIONS = 9


@dataclass(frozen=True)
class Alignment:
    """The most likely path of one utterance.

    Attributes:
        durations: Frames of each token and of the end-of-sentence token.
        score: Mean log-likelihood of the path, in nats per frame.
    """

    durations: list[int]
    score: float


@dataclass
class AlignedSet:
    """A data folder and the alignments of its utterances.

    Attributes:
        folder: An ESPnet data folder.
        utterances: The ids of all utterances, in the folder's order.
        unaligned: Utterance id → the reason why it has no durations.
        alignments: Utterance id → alignment, including implausible ones.
    """

    folder: Path
    utterances: list[str]
    unaligned: dict[str, str] = field(default_factory=dict)
    alignments: dict[str, Alignment] = field(default_factory=dict)

    @property
    def alignable(self) -> list[str]:
        """The utterances that have not been excluded."""
        return [utt for utt in self.utterances if utt not in self.unaligned]

    def exclude_unalignable(self, mel: LogMelFbank, tokens: dict[str, int]) -> None:
        """Exclude the utterances whose lengths admit no monotonic path.

        Args:
            mel: The feature extraction that determines the number of frames.
            tokens: Utterance id → number of tokens of its text.

        Raises:
            ConfigError: A recording is missing, has another sampling rate, has several
                channels or cannot be read.
        """
        wav_scp = self.folder / "wav.scp"
        require_recordings(wav_scp, self.utterances, rate=mel.fs, shortest=0)
        recordings = read_table(wav_scp)
        for utt in self.utterances:
            samples = len(read_audio(recordings[utt], utt, shortest=0)[0])
            frames = 1 + samples // mel.hop_length
            if not tokens[utt]:
                self._exclude(utt, "its text has no tokens")
            elif samples <= mel.n_fft // 2:
                self._exclude(utt, f"its recording has {samples} samples")
            elif tokens[utt] + 1 > frames:
                self._exclude(
                    utt, f"{tokens[utt]} tokens and the end for {frames} frames"
                )

    def exclude_implausible(self, longest: int, margin: float) -> None:
        """Exclude the utterances whose path is implausible.

        Args:
            longest: The maximum number of frames of a token.
            margin: Nats per frame that a score may be below the median of the set;
                nine median absolute deviations, if those are more.
        """
        scores = [alignment.score for alignment in self.alignments.values()]
        scores = [score for score in scores if isfinite(score)] or [0]
        middle = median(scores)
        spread = median(abs(score - middle) for score in scores)
        least = middle - max(margin, MAX_DEVIATIONS * spread)
        for utt, alignment in self.alignments.items():
            most, score = max(alignment.durations), alignment.score
            if most > longest:
                self._exclude(utt, f"a token has {most} frames, at most {longest}")
            elif not score >= least:
                self._exclude(
                    utt, f"its score is {score:.2f}, expected {least:.2f} or more"
                )

    def describe(self, output_dir: Path) -> str:
        """Return a report: mean score, one-frame tokens and the lowest scores.

        The end-of-sentence token does not count.

        Args:
            output_dir: The folder that :meth:`write` has written to.
        """
        found = [self.alignments[utt] for utt in self.alignable]
        frames = [count for one in found for count in one.durations[:-1]]
        short = sum(count <= 1 for count in frames) / len(frames)
        score = fmean(one.score for one in found)
        lines = [
            f"{self.folder}: {len(found)} of {len(self.utterances)} utterances are "
            f"aligned, mean score {score:.2f} nats a frame, {short:.1%} of the tokens "
            "have one frame"
        ]
        if self.unaligned:
            lines.append(self._exclusions(output_dir))
        worst = sorted(self.alignments, key=self._rank)[:WORST]
        return "\n".join([*lines, "  lowest scores:", *map(self._line, worst)])

    def _rank(self, utt: str) -> float:
        score = self.alignments[utt].score
        return float("-inf") if isnan(score) else score

    def _line(self, utt: str) -> str:
        excluded = " (excluded)" if utt in self.unaligned else ""
        return f"  {self.alignments[utt].score:8.2f} {utt}{excluded}"

    def _exclusions(self, output_dir: Path) -> str:
        return (
            f"{self.folder}: {len(self.unaligned)} of {len(self.utterances)} "
            "utterances are not aligned and excluded; see the reasons in "
            f"{self._scores(output_dir)}"
        )

    def _scores(self, output_dir: Path) -> Path:
        return output_dir / f"{self.folder.name}_alignment.csv"

    def write(self, output_dir: Path) -> None:
        """Write durations, scores and, if any is excluded, the aligned utterances."""
        name, aligned = self.folder.name, self.alignable
        durations = "".join(map(self._durations_row, aligned))
        rows = map(self._csv_row, self.utterances)
        write_csv(self._scores(output_dir), COLUMNS, rows)
        write_text(output_dir / name / "durations", durations)
        subset = output_dir / f"{name}_aligned"
        if not self.unaligned:
            shutil.rmtree(subset, ignore_errors=True)  # of an earlier run
            return
        logging.warning(self._exclusions(output_dir))
        with folder_written_whole(subset, instead=True) as beside:
            write_text(beside / "durations", durations)
            write_text(beside / "utterances", "".join(f"{utt}\n" for utt in aligned))

    def _exclude(self, utt: str, reason: str) -> None:
        self.unaligned[utt] = reason
        logging.warning(f"{self.folder}: {utt} is not aligned: {reason}")

    def _durations_row(self, utt: str) -> str:
        return f"{utt} {' '.join(map(str, self.alignments[utt].durations))}\n"

    def _csv_row(self, utt: str) -> tuple:
        alignment = self.alignments.get(utt)
        if alignment is None:
            return (utt, None, None, None, None, self.unaligned[utt])
        row, score = alignment.durations, f"{alignment.score:.4f}"
        return (utt, len(row), sum(row), max(row), score, self.unaligned.get(utt))


def write_quality(sets: Iterable[AlignedSet], output_dir: Path) -> None:
    """Write and log how well each set is aligned (``alignment.txt``)."""
    report = "\n".join(data.describe(output_dir) for data in sets)
    write_text(output_dir / QUALITY, f"{report}\n")
    logging.info(f"quality of the alignment:\n{report}")


def require_aligned(sets: Iterable[AlignedSet], most: float) -> None:
    """Raise a ConfigError if too many utterances are unaligned, or a whole set is.

    Args:
        sets: The data folders.
        most: The largest fraction of all utterances that may be unaligned.
    """
    sets = list(sets)
    total = sum(len(data.utterances) for data in sets)
    unaligned = [
        f"{data.folder}: {utt}: {reason}"
        for data in sets
        for utt, reason in data.unaligned.items()
    ]
    if len(unaligned) > most * total:
        raise ConfigError(
            f"{len(unaligned)} of {total} utterances cannot be aligned, more than "
            f"--max_unaligned {most:g}; check their text and audio: "
            + "; ".join(unaligned[:3])
        )
    for data in sets:
        if not data.alignable:
            raise ConfigError(f"{data.folder}: none of its utterances can be aligned")
