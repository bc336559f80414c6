"""State that trains with a model and is saved with its optimizer.

ESPnet's checkpoint.pth holds model, optimizers, schedulers and reporter. What must
survive a resume but is no part of the model rides in the optimizer's state.
"""

from typing import Protocol

import torch

from espnet_distill.errors import ConfigError

LESSONS = "espnet_distill"
CALLBACKS = "espnet_distill_callbacks"
WHAT = {LESSONS: "teachers or objectives", CALLBACKS: "callbacks"}


class Companion(Protocol):
    """What has a state; it refuses one that is not its own by an error."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict): ...


def save_with(
    optimizer: torch.optim.Optimizer, companions: dict[str, Companion]
) -> None:
    """Save and load the states of companions along with the optimizer's.

    Args:
        optimizer: What rides in a checkpoint.
        companions: By their keys in the optimizer's state, LESSONS or CALLBACKS. A
            checkpoint is refused by a ConfigError if it was written with others, and
            so is one with any if there are none.
    """

    def save(optimizer, state):
        for key, companion in companions.items():
            state[key] = companion.state_dict()

    def load(optimizer, state):
        for key, what in WHAT.items():
            _load(companions.get(key), state.get(key), what)
        return {key: value for key, value in state.items() if key not in WHAT}

    optimizer.register_state_dict_post_hook(save)
    optimizer.register_load_state_dict_pre_hook(load)


def _load(companion: Companion | None, state: dict | None, what: str) -> None:
    if companion is None and state is None:
        return
    try:
        if companion is None or state is None:
            raise RuntimeError(f"{what} on one side only")
        companion.load_state_dict(state)
    except (RuntimeError, ConfigError) as error:
        raise ConfigError(
            f"checkpoint.pth: was written with other {what}; resume with those, or "
            "train into another output_dir"
        ) from error
