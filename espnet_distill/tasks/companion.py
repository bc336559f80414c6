"""State that trains with a model and is saved with its optimizer.

ESPnet's checkpoint.pth holds model, optimizers, schedulers and reporter. What must
survive a resume but is no part of the model rides in the optimizer's state.
"""

import torch

from espnet_distill.errors import ConfigError

KEY = "espnet_distill"


def save_with(optimizer: torch.optim.Optimizer, module: torch.nn.Module) -> None:
    """Save and load the module's state along with the optimizer's."""

    def save(optimizer, state):
        state[KEY] = module.state_dict()

    def load(optimizer, state):
        try:
            module.load_state_dict(state.get(KEY, {}))
        except RuntimeError as error:
            raise ConfigError(
                "checkpoint.pth: was written with other teachers or objectives; resume "
                "with those, or train into another output_dir"
            ) from error
        return {key: value for key, value in state.items() if key != KEY}

    optimizer.register_state_dict_post_hook(save)
    optimizer.register_load_state_dict_pre_hook(load)
