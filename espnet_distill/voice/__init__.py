"""The runtime of exported voices, without PyTorch and ESPnet.

This folder is a distribution of its own, too, ``espnet-distill-voice``, so it imports
the standard library, numpy, onnxruntime and num2words alone, and itself relatively::

    from espnet_distill_voice import Voice  # or espnet_distill.voice

    wave = Voice("voice/").synthesize("Hello.")
"""

__all__ = ["Voice"]


def __getattr__(name: str):
    """Import the class on demand: the front end alone needs no numpy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .voice import Voice

    return Voice
