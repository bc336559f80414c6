"""A pruned experiment without what was masked, as an ESPnet experiment."""

import argparse

from espnet_distill.errors import ConfigError
from espnet_distill.pruning.removal import Remainder, count_speaking, remove_silent
from espnet_distill.pruning.smaller import FEW, Smaller, write_smaller
from espnet_distill.structure.silent import share_of_zeros
from espnet_distill.students.experiment import SUPPORTED
from espnet_distill.students.sized import SUFFIX, require_whole_layers
from espnet_distill.taps import require_taps
from espnet_distill.teachers.checkpoint import (
    find_experiment,
    load_experiment,
    read_config,
)


def compact(args: argparse.Namespace) -> str:
    """Write a pruned experiment without its masked structure into a new folder.

    Args:
        args: What ``espnet-distill compact`` was given.

    Returns:
        What to print.

    Raises:
        ConfigError: An experiment that was not pruned.
    """
    config, checkpoint = find_experiment(args.experiment)
    conf = read_config(config)
    require_taps(conf["tts"], config)
    require_whole_layers(conf["tts_conf"], config)
    masked, names = load_experiment(config, checkpoint)
    whole, _ = load_experiment(config, checkpoint)
    zeros = share_of_zeros(whole.tts)
    rest = Remainder(conf["tts"], conf["tts_conf"], whole.tts.state_dict(), [])
    counting = 0
    if isinstance(whole.tts, SUPPORTED):
        counting = count_speaking(masked.tts, conf["tts"], conf["tts_conf"])
        rest = remove_silent(whole.tts, conf["tts"], conf["tts_conf"], args.stock)
    if not rest.removed and zeros < FEW:
        raise ConfigError(
            f"{checkpoint}: nothing in it is masked; prune it first, by callbacks: or "
            "by espnet-distill prune"
        )
    smaller = Smaller(rest.name, rest.conf, rest.state)
    written = write_smaller(args, (config, checkpoint), (masked, names), smaller)
    removed = [f"Removed: {line}" for line in rest.removed]
    if not removed:
        removed = [
            f"No unit, head or layer is silent: {zeros:.1%} of the weights are zero, "
            "which saves space once compressed, and no time."
        ]
    if rest.name.endswith(SUFFIX):
        removed.append("--stock gives all layers one size.")
    if counting:
        removed.append(
            f"Compared with it as it was trained: {counting} layer normalisations did "
            "not count what was masked, which only the compacted model can say."
        )
    return "\n\n".join([*written, "\n".join(removed)])
