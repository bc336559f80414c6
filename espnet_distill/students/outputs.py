"""A model's outputs as the dependency graph wants them."""

from collections.abc import Callable

from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.taps import TapRecorder, made_up_sentence


def outputs_of(tts: AbsTTS) -> Callable:
    """Return a function that runs a model on a made-up sentence, through autograd.

    Called as ``find_groups`` does, it returns the list of the model's outputs.
    """
    recorder, sentence = TapRecorder(tts), made_up_sentence(tts)

    def run(model, _):
        model(**sentence)
        return [tap for tap in recorder.taps.tensors.values() if tap.requires_grad]

    return run
