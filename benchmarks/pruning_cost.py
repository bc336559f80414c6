"""What the pruning callback costs: a training step with it against one without.

Two FastSpeech2 train on 4 s utterances: a student of 2 M parameters, and the 37 M model
of ESPnet's LJSpeech recipe. Of each there are twins, one pruned at p = 0.5, which take
their steps in turn, on all cores; a step is forward, backward, AdamW and the callback.
``between_updates`` is the median of the pruned twin's steps, each over the other's step
beside it; an update takes some steps beyond that, and ``average`` has one in a hundred.
Figures are those of the worse of the two sizes; 1.0 is free.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from statistics import median

from ljspeech import MELS, TOKENS, training_config
from step_cost import BATCH, HOP, RATE, SECONDS, STUDENT, TOKENS_EACH

PRESSURE, APART = 0.5, 100


@dataclass
class Twin:
    """A model that trains, with or without a callback, and what its steps took."""

    step: object
    seconds: list[float] = field(default_factory=list)

    def take(self, number: int) -> float:
        start = time.perf_counter()
        self.step(number)
        return time.perf_counter() - start


def sizes() -> dict[str, dict]:
    """Configurations by the name of their size."""
    return {"2M": STUDENT, "37M": training_config("fastspeech2")["tts_conf"]}


def build(conf: dict):
    import torch
    from espnet2.tts.fastspeech2 import FastSpeech2

    torch.manual_seed(0)
    return FastSpeech2(TOKENS, MELS, **conf)


def sentences(utterances: int) -> dict:
    """A batch of made-up sentences, as long as step_cost.py's."""
    import torch

    frames = int(SECONDS * RATE) // HOP + 1
    tokens = TOKENS_EACH + 1  # with the end of the sentence, which the model appends
    durations = torch.full((utterances, tokens), frames // tokens)
    durations[:, 0] += frames - durations[0].sum()
    lengths = torch.full((utterances,), tokens)
    batch = {
        "text": torch.randint(3, TOKENS - 1, (utterances, TOKENS_EACH)),
        "text_lengths": lengths - 1,
        "feats": torch.randn(utterances, frames, MELS),
        "feats_lengths": torch.full((utterances,), frames),
        "durations": durations,
        "durations_lengths": lengths,
    }
    for name in ("pitch", "energy"):
        batch[name] = torch.randn(utterances, tokens, 1)
        batch[f"{name}_lengths"] = lengths
    return batch


def twin(conf: dict, batch: dict, callback) -> Twin:
    """Build a model that trains on one batch, and tells a callback of its steps."""
    import torch

    from espnet_distill.pruning.base import Callback, Training

    model = build(conf).train()
    callback = callback or Callback()
    callback.attach(model)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    callback.on_train_start(Training(model, [optimizer]))

    def step(number: int) -> None:
        optimizer.zero_grad()
        loss, *_ = model(**batch)
        loss.backward()
        optimizer.step()
        callback.on_step_end(number)

    return Twin(step)


def pruning(conf: dict, told: dict, updates: int, apart: int):
    """A callback whose updates are so far apart, the first of them after as many."""
    from espnet_distill.pruning.callback import build_callback
    from espnet_distill.structure.coupling import find_groups
    from espnet_distill.students.outputs import outputs_of

    callback = build_callback(
        {"type": "prune", "pressure": PRESSURE, "schedule": "linear", "start": 0}
        | {"end": updates * apart, "interval": apart}
        | told
    )
    twin = build(conf)
    callback.find_groups = lambda model: find_groups(twin, outputs_of(twin))
    return callback


def measure(conf: dict, told: dict, steps: int, updates: int) -> dict[str, float]:
    """Return the ratios of one size, over so many steps, some of them updates."""
    batch = sentences(BATCH)
    apart = steps // updates
    plain = twin(conf, batch, None)
    pruned = twin(conf, batch, pruning(conf, told, updates, apart))
    for number in range(1, steps + 1):
        plain.seconds.append(plain.take(number))
        pruned.seconds.append(pruned.take(number))
    ratios = [ours / alone for ours, alone in zip(pruned.seconds, plain.seconds)]
    # from the first update on, when there are masks and all is warm
    between = median(r for n, r in enumerate(ratios, 1) if n > apart and n % apart)
    update = median(ratios[apart - 1 :: apart]) - between
    return {
        "seconds": median(plain.seconds),
        "between_updates": between,
        "update": update,
        "average": between + update / APART,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--json", action="store_true", help="the worse ratios alone")
    parser.add_argument("--size", choices=("2M", "37M"), nargs="+", help="or both")
    parser.add_argument("--what", default="neurons", help="default: %(default)s")
    parser.add_argument("--criterion", default="magnitude", help="default: %(default)s")
    parser.add_argument("--steps", type=int, help="of each twin")
    args = parser.parse_args()
    told = {"what": args.what, "criterion": args.criterion}
    steps, updates = (args.steps or 20, 2) if args.quick else (args.steps or 120, 4)
    found = {}
    for name, conf in sizes().items():
        if name in (args.size or sizes()):
            found[name] = measure(conf, told, steps, updates)
            print(f"{name} measured", file=sys.stderr)
    worse = {
        key: round(max(own[key] for own in found.values()), 4)
        for key in ("between_updates", "average")
    }
    if args.json:
        print(json.dumps(worse))
        return
    for name, own in found.items():
        print(
            f"{name:4} {own['seconds']:.3f} s a step; with pruning × "
            f"{own['between_updates']:.4f} between updates, an update takes "
            f"{own['update']:.2f} steps, × {own['average']:.4f} on average"
        )
    print(" ".join(f"{key} {value:.4f}" for key, value in worse.items()))


if __name__ == "__main__":
    main()
