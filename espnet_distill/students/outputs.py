"""A model's outputs as the dependency graph wants them."""

import contextlib
from collections.abc import Callable, Iterator

from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.taps import TapRecorder, made_up_sentence

STOPS = ("stop_gradient_from_pitch_predictor", "stop_gradient_from_energy_predictor")


def outputs_of(tts: AbsTTS) -> Callable:
    """Return a function that runs a model on a made-up sentence, through autograd.

    Called as ``find_groups`` does, it returns the list of the model's outputs. No
    gradient is stopped before a predictor, whose inputs are otherwise in no group.
    """
    recorder, sentence = TapRecorder(tts), made_up_sentence(tts)

    def run(model, _):
        with _all_gradients(model):
            model(**sentence)
        return [tap for tap in recorder.taps.tensors.values() if tap.requires_grad]

    return run


@contextlib.contextmanager
def _all_gradients(tts: AbsTTS) -> Iterator[None]:
    """Let no predictor stop gradients for a while."""
    stopped = {key: value for key, value in vars(tts).items() if key in STOPS}
    vars(tts).update(dict.fromkeys(stopped, False))
    try:
        yield
    finally:
        vars(tts).update(stopped)
