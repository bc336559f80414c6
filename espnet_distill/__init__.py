"""Distillation and structured pruning for ESPnet TTS models."""


def register() -> None:
    """Register the plugin: from here on, its task trains and its vocoders load.

    What `python3 -m espnet_distill` does for ESPnet's programs, for a program of
    one's own.
    """
    from espnet_distill.plugin import register

    register()


def version() -> str:
    """Return the installed version."""
    from importlib.metadata import version

    return version("espnet_distill")
