"""What the pruning callback costs: a training step with it against one without.

Two FastSpeech2 train on 4 s utterances: a student of 2 M parameters, and the 37 M
model of ESPnet's LJSpeech recipe. Of each there are pairs of twins, one pruned at
p = 0.5, which take their steps in turn, on all cores; a step is forward, backward,
AdamW and the callback. Each twin is as often the first as the second, to be built and
to take a step: the second of two twins alike was seen to take a hundredth longer.
``between_updates`` is the median of the pruned twin's steps, each over the other's step
beside it; an update takes some steps beyond that, and ``average`` has one in a hundred.
A criterion that looks at the last few steps before an update has two such medians, of
which that of the steps it looks at counts for as many in a hundred.
Figures are those of the worse of the two sizes; 1.0 is free.
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

PRESSURE, APART, UPDATES = 0.5, 100, 4


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


def pruning(conf: dict, told: dict, updates: int, apart: int):
    """A callback whose updates are so far apart, the first of them after as many."""
    from espnet_distill.structure.groups import find_groups
    from espnet_distill.students.find_groups import outputs_of
    from espnet_distill.training.registry import build_callback

    callback = build_callback(
        {"type": "prune", "pressure": PRESSURE, "schedule": "linear", "start": 0}
        | {"end": updates * apart, "interval": apart}
        | told
    )
    twin = build(conf)
    callback.find_groups = lambda model: find_groups(twin, outputs_of(twin))
    return callback


def looks_of(criterion: str) -> int:
    """How many steps a criterion looks at, of those from one update to the next."""
    from espnet_distill.pruning.criteria.gates import Gates
    from espnet_distill.pruning.criteria.registry import CRITERIA

    looks = CRITERIA.get(criterion, Gates).looks
    return APART if looks is None else looks


def measure(conf: dict, told: dict, apart: int, pairs: int) -> dict[str, float]:
    """Return the ratios of one size, from several pairs with updates so far apart."""
    batch = sentences(BATCH)
    looks = looks_of(told["criterion"])
    apart += looks % APART
    seconds, updates = [], []
    between = {False: [], True: []}
    for pair in range(pairs):
        ratios = {}
        build_plain = partial(twin, conf, batch, None)
        build_pruned = partial(twin, conf, batch, pruning(conf, told, UPDATES, apart))
        if pair % 2:
            pruned, plain = build_pruned(), build_plain()
        else:
            plain, pruned = build_plain(), build_pruned()
        for number in range(1, UPDATES * apart + 1):
            for one in (plain, pruned) if number % 4 < 2 else (pruned, plain):
                one.seconds.append(one.take(number))
            ratios[number] = pruned.seconds[-1] / plain.seconds[-1]
        # from the first update on, when there are masks and all is warm
        for number, own in ratios.items():
            if number > apart and number % apart:
                between[number % apart > apart - looks].append(own)
        updates += [r for n, r in ratios.items() if not n % apart]
        seconds += plain.seconds
    parts = {True: looks / APART, False: 1 - looks / APART}
    ratio = sum(part * median(between[kind]) for kind, part in parts.items() if part)
    update = median(updates) - ratio
    return {
        "seconds": median(seconds),
        "between_updates": ratio,
        "update": update,
        "average": ratio + update / APART,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps and pairs")
    parser.add_argument("--json", action="store_true", help="the worse ratios alone")
    parser.add_argument("--size", choices=("2M", "37M"), nargs="+", help="or both")
    parser.add_argument("--what", default="neurons", help="default: %(default)s")
    parser.add_argument("--criterion", default="magnitude", help="default: %(default)s")
    parser.add_argument("--steps", type=int, help="between updates, looked at or not")
    parser.add_argument("--pairs", type=int, help="of twins")
    args = parser.parse_args()
    told = {"what": args.what, "criterion": args.criterion}
    steps = args.steps or (3 if args.quick else 7)
    pairs = args.pairs or (2 if args.quick else 4)
    found = {}
    for name, conf in sizes().items():
        if name in (args.size or sizes()):
            found[name] = measure(conf, told, steps, pairs)
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
