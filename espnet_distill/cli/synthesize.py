"""``espnet-distill synthesize``: text to audio with an exported voice."""

from espnet_distill.voice.synthesize import add_arguments, main

__all__ = ["add_arguments", "main"]
