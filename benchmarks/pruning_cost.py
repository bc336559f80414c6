"""Measure the overhead of the pruning callback in a training step.

Two FastSpeech2 train on 4 s utterances: a student of 2 M parameters, and the 37 M
model of ESPnet's LJSpeech recipe. For each size, pairs of identical models, one of them
pruned at pressure 0.5, alternate their steps on all cores; a step is forward, backward,
AdamW and the callback. The order of building and stepping is balanced: the second of
two identical models took 1 % longer.

``between_updates`` is the median ratio of the pruned model's step to the adjacent step
of the other. ``average`` adds the cost of an update, one in 100 steps. A criterion that
observes the last steps before an update has two medians, weighted by the numbers of
steps with and without observers. Printed ratios are those of the worse size; 1.0 means
no overhead.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from ljspeech import MELS, TOKENS, training_config
from step_cost import BATCH, HOP, RATE, SECONDS, STUDENT, TOKENS_EACH

PRESSURE, INTERVAL, UPDATES = 0.5, 100, 4


@dataclass
class Twin:
    """A model in training, with or without a callback, and its step times."""

    step: object
    seconds: list[float] = field(default_factory=list)

    def time_step(self, number: int) -> float:
        start = time.perf_counter()
        self.step(number)
        return time.perf_counter() - start


def sizes() -> dict[str, dict]:
    """Return model configurations by the name of their size."""
    return {"2M": STUDENT, "37M": training_config("fastspeech2")["tts_conf"]}


def build(conf: dict):
    import torch
    from espnet2.tts.fastspeech2 import FastSpeech2

    torch.manual_seed(0)
    return FastSpeech2(TOKENS, MELS, **conf)


def sentences(utterances: int) -> dict:
    """Return a random batch with the lengths of step_cost.py's."""
    import torch

    frames = int(SECONDS * RATE) // HOP + 1
    tokens = TOKENS_EACH + 1  # with the end-of-sentence token, which the model appends
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
    """Build a model that trains on one batch and calls a callback after each step."""
    import torch

    from espnet_distill.training.callback import Callback, TrainingContext

    model = build(conf).train()
    callback = callback or Callback()
    callback.attach(model)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    callback.on_train_start(TrainingContext(model, [optimizer]))

    def step(number: int) -> None:
        optimizer.zero_grad()
        loss, *_ = model(**batch)
        loss.backward()
        optimizer.step()
        callback.on_step_end(number)

    return Twin(step)


def pruning(conf: dict, options: dict, updates: int, interval: int):
    """Return a pruning callback with an update every ``interval`` steps."""
    from espnet_distill.structure.groups import find_groups
    from espnet_distill.students.find_groups import outputs_of
    from espnet_distill.training.registry import build_callback

    callback = build_callback(
        {"type": "prune", "pressure": PRESSURE, "schedule": "linear", "start": 0}
        | {"end": updates * interval, "interval": interval}
        | options
    )
    traced = build(conf)
    callback.find_groups = lambda model: find_groups(traced, outputs_of(traced))
    return callback


def observed_steps(criterion: str) -> int:
    """Return the number of steps between updates that a criterion observes."""
    from espnet_distill.pruning.criteria.gates import Gates
    from espnet_distill.pruning.criteria.registry import CRITERIA

    window = CRITERIA.get(criterion, Gates).window
    return INTERVAL if window is None else window


def measure(conf: dict, options: dict, interval: int, pairs: int) -> dict[str, float]:
    """Return the ratios of one size, over several pairs of models."""
    batch = sentences(BATCH)
    observed = observed_steps(options["criterion"])
    interval += observed % INTERVAL
    seconds, updates = [], []
    between = {False: [], True: []}
    for pair in range(pairs):
        ratios = {}
        build_plain = partial(twin, conf, batch, None)
        build_pruned = partial(
            twin, conf, batch, pruning(conf, options, UPDATES, interval)
        )
        if pair % 2:
            pruned, plain = build_pruned(), build_plain()
        else:
            plain, pruned = build_plain(), build_pruned()
        for number in range(1, UPDATES * interval + 1):
            for one in (plain, pruned) if number % 4 < 2 else (pruned, plain):
                one.seconds.append(one.time_step(number))
            ratios[number] = pruned.seconds[-1] / plain.seconds[-1]
        # only after the first update: masks exist and caches are warm
        for number, ratio in ratios.items():
            if number > interval and number % interval:
                between[number % interval > interval - observed].append(ratio)
        updates += [r for n, r in ratios.items() if not n % interval]
        seconds += plain.seconds
    parts = {True: observed / INTERVAL, False: 1 - observed / INTERVAL}
    ratio = sum(part * median(between[kind]) for kind, part in parts.items() if part)
    update = median(updates) - ratio
    return {
        "seconds": median(seconds),
        "between_updates": ratio,
        "update": update,
        "average": ratio + update / INTERVAL,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps and pairs")
    parser.add_argument(
        "--json", action="store_true", help="print the worse ratios as one object"
    )
    parser.add_argument(
        "--size", choices=("2M", "37M"), nargs="+", help="default: both"
    )
    parser.add_argument(
        "--granularity", default="structured", help="default: %(default)s"
    )
    parser.add_argument("--criterion", default="magnitude", help="default: %(default)s")
    parser.add_argument("--steps", type=int, help="between updates")
    parser.add_argument("--pairs", type=int, help="pairs of models a size")
    args = parser.parse_args()
    options = {"granularity": args.granularity, "criterion": args.criterion}
    steps = args.steps or (3 if args.quick else 7)
    pairs = args.pairs or (2 if args.quick else 4)
    results = {}
    for name, conf in sizes().items():
        if name in (args.size or sizes()):
            results[name] = measure(conf, options, steps, pairs)
            print(f"{name} measured", file=sys.stderr)
    worse = {
        key: round(max(ratios[key] for ratios in results.values()), 4)
        for key in ("between_updates", "average")
    }
    if args.json:
        print(json.dumps(worse))
        return
    for name, ratios in results.items():
        print(
            f"{name:4} {ratios['seconds']:.3f} s a step; with pruning × "
            f"{ratios['between_updates']:.4f} between updates, an update takes "
            f"{ratios['update']:.2f} steps, × {ratios['average']:.4f} on average"
        )
    print(" ".join(f"{key} {value:.4f}" for key, value in worse.items()))


if __name__ == "__main__":
    main()
