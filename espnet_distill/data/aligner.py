"""Compute token durations from audio and text, for FastSpeech-like models.

Trains ESPnet's alignment module (Badlani et al. 2021, "One TTS Alignment To Rule
Them All", arXiv:2108.10447) on one data folder and writes the most likely monotonic
path of every utterance as `<output_dir>/<folder name>/durations`, the file that
tts.sh reads through --teacher_dumpdir. As FastSpeech2 expects, every utterance ends
with an end-of-sentence token.

`<output_dir>/<folder name>_alignment.csv` has the score of each path, and
`<output_dir>/alignment.txt` the mean scores, the share of one-frame tokens and the
utterances of the lowest scores. Utterances that
cannot be aligned are logged and have no durations; if there are any,
`<output_dir>/<folder name>_aligned` has the durations and the list of the aligned
utterances, from which a training set is made.
"""

import argparse
import logging
from dataclasses import dataclass
from math import inf
from pathlib import Path

import torch
from espnet2.gan_tts.jets.alignments import AlignmentModule, viterbi_decode
from espnet2.gan_tts.jets.loss import ForwardSumLoss
from espnet2.layers.utterance_mvn import UtteranceMVN
from espnet2.legacy.nets.pytorch_backend.nets_utils import make_pad_mask
from espnet2.train.collate_fn import CommonCollateFn
from espnet2.train.dataset import ESPnetDataset
from espnet2.train.preprocessor import CommonPreprocessor
from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank
from espnet2.utils.types import int_or_none, str_or_none
from torch.nn.functional import pad, relu
from torch.utils.data import BatchSampler, DataLoader, SubsetRandomSampler

from espnet_distill.data.alignments import (
    AlignedSet,
    Alignment,
    require_aligned,
    write_quality,
)
from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import read_table, require_makeable
from espnet_distill.utils.progress import progress_bar

BOUNDS = ("max_unaligned", "longest_token", "score_margin")


class MatrixAlignment(AlignmentModule):
    """ESPnet's alignment module with distances computed by matrix products.

    The outputs equal those of the base class, as a test asserts. The tensor
    (B, T_feats, T_text, adim) is not materialized, which takes a tenth of the time.
    """

    def forward(self, text, feats, text_lengths, feats_lengths, x_masks):
        """Return log attention (B, T_feats, T_text); arguments as in the base class."""
        keys = self.t_conv2(relu(self.t_conv1(text.mT))).mT
        queries = relu(self.f_conv2(relu(self.f_conv1(feats.mT))))
        queries = self.f_conv3(queries).mT
        score = -torch.cdist(queries, keys)
        score = score.masked_fill(x_masks.unsqueeze(1), -torch.inf)
        prior = self._generate_prior(text_lengths, feats_lengths)
        return score.log_softmax(dim=-1) + prior.to(score)


class Aligner(torch.nn.Module):
    """Attention between token embeddings and normalized log-mel frames."""

    def __init__(self, num_tokens: int, mel: LogMelFbank, channels: int = 96):
        super().__init__()
        self.eos = num_tokens - 1
        self.mel = mel
        self.normalize = UtteranceMVN(norm_means=True, norm_vars=True)
        self.embed = torch.nn.Embedding(num_tokens, channels)
        self.attention = MatrixAlignment(channels, mel.output_size(), cache_prior=False)

    def forward(self, text, text_lengths, speech, speech_lengths):
        """Return log attention and the lengths of its two axes.

        Args:
            text: Token ids (B, T_text) without the end-of-sentence token.
            text_lengths: (B,).
            speech: Waveforms (B, T_wav).
            speech_lengths: Samples (B,).

        Returns:
            Log attention (B, T_feats, T_text + 1), token counts (B,), frames (B,).
        """
        with torch.no_grad():
            feats, frames = self.mel(speech, speech_lengths)
            feats, frames = self.normalize(feats, frames)
        tokens = pad(text, (0, 1))
        tokens[torch.arange(len(text)), text_lengths] = self.eos
        counts = text_lengths + 1
        padding = make_pad_mask(counts).to(tokens.device)
        log_attention = self.attention(
            self.embed(tokens), feats, counts, frames, padding
        )
        return log_attention, counts, frames


@dataclass(kw_only=True)
class SetToAlign(AlignedSet):
    """A data folder to align, with a dataset of its token ids and waveforms."""

    dataset: ESPnetDataset

    def count_tokens(self) -> dict[str, int]:
        """Return the number of tokens of each utterance's text."""
        texts = read_table(self.folder / "text")
        tokenize = self.dataset.preprocess
        return {utt: len(tokenize(utt, {"text": texts[utt]})["text"]) for utt in texts}


def open_data(folder: Path, args) -> SetToAlign:
    """Open a data folder; raise a ConfigError if it has no text or audio."""
    for name in ("text", "wav.scp"):
        if not (folder / name).is_file():
            raise ConfigError(
                f"{folder}/{name}: no such file; run the data stages first"
            )
    dataset = ESPnetDataset(
        [
            (str(folder / "text"), "text", "text"),
            (str(folder / "wav.scp"), "speech", "sound"),
        ],
        preprocess=CommonPreprocessor(
            train=False,
            token_type=args.token_type,
            token_list=args.token_list,
            bpemodel=args.bpemodel,
            text_cleaner=args.cleaner,
            g2p_type=args.g2p,
        ),
    )
    return SetToAlign(folder, list(dataset.loader_dict["text"]), dataset=dataset)


def batches(data: SetToAlign, shuffle: bool, batch_size: int = 16) -> DataLoader:
    """Return a loader of batches of the utterances that can be aligned.

    ESPnet's datasets are indexed by utterance id, so that the ids serve as a sampler.
    """
    utterances = data.alignable
    if shuffle:
        utterances = SubsetRandomSampler(utterances)
    return DataLoader(
        data.dataset,
        batch_sampler=BatchSampler(utterances, batch_size, drop_last=False),
        collate_fn=CommonCollateFn(float_pad_value=0.0, int_pad_value=0),
        num_workers=1,
    )


def train(aligner: Aligner, data: SetToAlign, steps: int, device: str) -> None:
    """Maximize the summed probability of all monotonic paths for `steps` updates."""
    criterion = ForwardSumLoss()
    optimizer = torch.optim.Adam(aligner.parameters(), lr=2e-3)
    loader = batches(data, shuffle=True)
    progress = progress_bar(total=steps, desc="training", mininterval=10)
    while progress.n < steps:
        for _, batch in loader:
            batch = {name: value.to(device) for name, value in batch.items()}
            loss = criterion(*aligner(**batch))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(aligner.parameters(), 1.0)
            optimizer.step()
            progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
            progress.update()
            if progress.n == steps:
                break
    progress.close()


@torch.no_grad()
def align(aligner: Aligner, data: SetToAlign, device: str) -> None:
    """Store the most likely path of each utterance in ``data.alignments``.

    The durations of an utterance sum to its number of frames.
    """
    for names, batch in progress_bar(
        batches(data, shuffle=False), desc=data.folder.name, mininterval=10
    ):
        batch = {name: value.to(device) for name, value in batch.items()}
        log_attention, counts, frames = aligner(**batch)
        durations, _ = viterbi_decode(log_attention, counts, frames)
        for name, rows, row, count in zip(names, log_attention, durations, counts):
            row = row[:count].long()
            tokens = torch.repeat_interleave(row)
            frame_indices = torch.arange(len(tokens), device=tokens.device)
            score = rows[frame_indices, tokens].mean().item()
            data.alignments[name] = Alignment(row.tolist(), score)


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder to train on")
    parser.add_argument(
        "--also", type=Path, nargs="*", default=[], help="more folders to align"
    )
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument(
        "--max_unaligned",
        type=float,
        default=0.1,
        help="largest fraction of the utterances that may be excluded",
    )
    parser.add_argument(
        "--longest_token",
        type=float,
        default=3.0,
        help="seconds; an utterance with a longer token is excluded",
    )
    parser.add_argument(
        "--score_margin",
        type=float,
        default=4.0,
        help="nats a frame that the mean log-likelihood of a path may be below the "
        "median of its set; an utterance below that is excluded",
    )
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--ngpu", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--token_list", required=True)
    parser.add_argument("--token_type", default="phn")
    parser.add_argument("--bpemodel", type=str_or_none)
    parser.add_argument("--cleaner", type=str_or_none)
    parser.add_argument("--g2p", type=str_or_none)
    parser.add_argument("--fs", type=int, default=22050)
    parser.add_argument("--n_fft", type=int, default=1024)
    parser.add_argument("--n_shift", type=int, default=256)
    parser.add_argument("--win_length", type=int_or_none)
    return parser


def main(cmd=None) -> None:
    args = get_parser().parse_args(cmd)
    logging.basicConfig(level="INFO")
    for option in BOUNDS:
        if not 0 <= getattr(args, option) < inf:
            raise ConfigError(
                f"--{option}: {getattr(args, option)}: give a number, 0 or more"
            )
    torch.manual_seed(args.seed)
    device = "cuda" if args.ngpu > 0 else "cpu"
    folders = [args.data, *args.also]
    sets = [open_data(folder, args) for folder in folders]
    mel = LogMelFbank(
        fs=args.fs,
        n_fft=args.n_fft,
        hop_length=args.n_shift,
        win_length=args.win_length,
    )
    require_makeable(args.output_dir)
    for data in sets:
        data.exclude_unalignable(mel, data.count_tokens())
    require_aligned(sets, args.max_unaligned)
    num_tokens = sum(1 for _ in open(args.token_list, encoding="utf-8"))
    aligner = Aligner(num_tokens, mel).to(device)
    train(aligner, sets[0], args.steps, device)
    aligner.eval()
    longest = round(args.longest_token * args.fs / args.n_shift)
    for data in sets:
        align(aligner, data, device)
        data.exclude_implausible(longest, args.score_margin)
    require_aligned(sets, args.max_unaligned)
    for data in sets:
        data.write(args.output_dir)
    write_quality(sets, args.output_dir)


if __name__ == "__main__":
    main()
