"""Time a training step of FastSpeech2 in float32 and under the callback `bfloat16`.

Each configuration is trained on one batch of random mels, on one thread; the two
variants alternate. Printed are medians of process CPU seconds.

    python benchmarks/bfloat16.py egs/kathleen/tts1/conf/train_teacher.yaml …
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch
import yaml
from espnet2.tts.fastspeech2 import FastSpeech2

from espnet_distill.training.bfloat16 import Bfloat16

TOKENS, VOCABULARY, MELS = 75, 70, 80


def make_batch(utterances: int) -> dict[str, torch.Tensor]:
    """Return a batch with 2 to 6 frames a token, 320 frames an utterance."""
    durations = torch.randint(2, 7, (utterances, TOKENS + 1))
    tokens = torch.full((utterances,), TOKENS)
    frames = durations.sum(1)
    return {
        "text": torch.randint(1, VOCABULARY - 1, (utterances, TOKENS)),
        "text_lengths": tokens,
        "feats": torch.randn(utterances, int(frames.max()), MELS),
        "feats_lengths": frames,
        "durations": durations,
        "durations_lengths": tokens + 1,
        "pitch": torch.randn(utterances, TOKENS + 1, 1),
        "pitch_lengths": tokens + 1,
        "energy": torch.randn(utterances, TOKENS + 1, 1),
        "energy_lengths": tokens + 1,
    }


def time_step(model: torch.nn.Module, optimizer, batch: dict) -> float:
    start = time.process_time()
    loss, *_ = model(**batch)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return time.process_time() - start


def main(config: Path, rounds: int) -> None:
    conf = yaml.safe_load(config.read_text())
    batch = make_batch(conf["batch_size"])
    variants = []
    for callbacks in ([], [Bfloat16()]):
        torch.manual_seed(0)
        model = FastSpeech2(idim=VOCABULARY, odim=MELS, **conf["tts_conf"])
        for callback in callbacks:
            callback.attach(model)
        variants.append((model, torch.optim.AdamW(model.parameters())))
    times = [
        [time_step(*variant, batch) for variant in variants] for _ in range(rounds)
    ]
    single, half = map(median, zip(*times[1:]))
    millions = sum(p.numel() for p in variants[0][0].parameters()) / 1e6
    print(
        f"| {config} | {millions:.2f} M | {single:.2f} | {half:.2f} | {single / half:.2f} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for path in args.configs:
        main(path, args.rounds)
