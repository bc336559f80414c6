"""Alignments of a data folder: their scores, and the utterances that have none."""

import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from statistics import median

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


OUTLYING = 9  # median deviations, 6 standard deviations of normally distributed scores


@dataclass(frozen=True)
class Alignment:
    """The most likely path of one utterance.

    Attributes:
        durations: Frames of each token and of the end of the sentence.
        score: Mean log-likelihood a frame, in nats, of the path.
    """

    durations: list[int]
    score: float


@dataclass
class AlignedSet:
    """A data folder and what can be aligned in it.

    Attributes:
        folder: An ESPnet data folder.
        utterances: All, in the folder's order.
        unaligned: Why an utterance has no durations, by its id.
        alignments: Of the others, and of those whose path is no alignment.
    """

    folder: Path
    utterances: list[str]
    unaligned: dict[str, str] = field(default_factory=dict)
    alignments: dict[str, Alignment] = field(default_factory=dict)

    @property
    def alignable(self) -> list[str]:
        """The utterances that are not known to be unaligned."""
        return [utt for utt in self.utterances if utt not in self.unaligned]

    def screen(self, mel: LogMelFbank, tokens: dict[str, int]) -> None:
        """Find the utterances that no path can align, by their lengths.

        Args:
            mel: What computes the frames.
            tokens: How many tokens the text of each utterance has.

        Raises:
            ConfigError: A recording that is missing, of another rate, in stereo or
                that cannot be read.
        """
        wav_scp = self.folder / "wav.scp"
        require_recordings(wav_scp, self.utterances, rate=mel.fs, shortest=0)
        recordings = read_table(wav_scp)
        for utt in self.utterances:
            samples = len(read_audio(recordings[utt], utt, shortest=0)[0])
            frames = 1 + samples // mel.hop_length
            if not tokens[utt]:
                self._leave_out(utt, "its text has no tokens")
            elif samples <= mel.n_fft // 2:
                self._leave_out(utt, f"its recording has {samples} samples")
            elif tokens[utt] + 1 > frames:
                self._leave_out(
                    utt, f"{tokens[utt]} tokens and the end for {frames} frames"
                )

    def judge(self, longest: int, margin: float) -> None:
        """Find the paths that are no alignment.

        Args:
            longest: The most frames that a token may have.
            margin: How far below the median of the set a score may be at least; more
                where the scores of the set lie wider apart.
        """
        scores = [one.score for one in self.alignments.values()]
        scores = [score for score in scores if isfinite(score)] or [0]
        middle = median(scores)
        spread = median(abs(score - middle) for score in scores)
        least = middle - max(margin, OUTLYING * spread)
        for utt, one in self.alignments.items():
            if max(one.durations) > longest:
                self._leave_out(
                    utt, f"a token has {max(one.durations)} frames, most are {longest}"
                )
            elif not one.score >= least:
                self._leave_out(
                    utt, f"its score is {one.score:.2f}, expected {least:.2f} or more"
                )

    def write(self, output_dir: Path) -> None:
        """Write durations, scores and, if some are left out, the list of the others."""
        name, aligned = self.folder.name, self.alignable
        rows = (" ".join(map(str, self.alignments[utt].durations)) for utt in aligned)
        durations = "".join(f"{utt} {row}\n" for utt, row in zip(aligned, rows))
        scores = output_dir / f"{name}_alignment.csv"
        write_csv(scores, COLUMNS, map(self._scored, self.utterances))
        write_text(output_dir / name / "durations", durations)
        subset = output_dir / f"{name}_aligned"
        if not self.unaligned:
            shutil.rmtree(subset, ignore_errors=True)  # of an earlier run
            return
        logging.warning(
            f"{self.folder}: {len(self.unaligned)} of {len(self.utterances)} "
            f"utterances are not aligned and left out; {scores} says why"
        )
        with folder_written_whole(subset, instead=True) as beside:
            write_text(beside / "durations", durations)
            write_text(beside / "utterances", "".join(f"{utt}\n" for utt in aligned))

    def _leave_out(self, utt: str, why: str) -> None:
        self.unaligned[utt] = why
        logging.warning(f"{self.folder}: {utt} is not aligned: {why}")

    def _scored(self, utt: str) -> tuple:
        found = self.alignments.get(utt)
        if found is None:
            return (utt, None, None, None, None, self.unaligned[utt])
        row, score = found.durations, f"{found.score:.4f}"
        return (utt, len(row), sum(row), max(row), score, self.unaligned.get(utt))


def require_aligned(sets: Iterable[AlignedSet], most: float) -> None:
    """Raise a ConfigError if more than a share of all is unaligned, or a whole set."""
    sets = list(sets)
    total = sum(len(one.utterances) for one in sets)
    unaligned = [
        f"{one.folder}: {utt}: {why}"
        for one in sets
        for utt, why in one.unaligned.items()
    ]
    if len(unaligned) > most * total:
        raise ConfigError(
            f"{len(unaligned)} of {total} utterances cannot be aligned, more than "
            f"--max_unaligned {most:g}; see to their text and audio: "
            + "; ".join(unaligned[:3])
        )
    for one in sets:
        if not one.alignable:
            raise ConfigError(f"{one.folder}: none of its utterances can be aligned")
