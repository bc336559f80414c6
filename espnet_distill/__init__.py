"""Distillation and structured pruning for ESPnet TTS models.

The functions behind the commands are imported when they are first used, so
``import espnet_distill`` imports neither torch nor ESPnet::

    from espnet_distill import Experiment, prune

    half = prune(Experiment("exp/tts_teacher"), pressure=0.5)
    half.save("exp/tts_half")
"""

from importlib import import_module

_API = {  # name: its module
    "Experiment": "espnet_distill.experiments.experiment",
    "bench": "espnet_distill.evaluation.bench",
    "compact": "espnet_distill.pruning.post_training.compact",
    "compare": "espnet_distill.pruning.post_training.comparison",
    "derive": "espnet_distill.students.derive",
    "describe": "espnet_distill.students.derive",
    "evaluate": "espnet_distill.evaluation.evaluate",
    "export": "espnet_distill.onnx_export.export",
    "extract_text2mel": "espnet_distill.students.text2mel_part",
    "import_piper": "espnet_distill.students.import_piper",
    "init": "espnet_distill.recipes.init",
    "new_recipe": "espnet_distill.recipes.new_recipe",
    "prune": "espnet_distill.pruning.post_training.prune",
    "replace_decoder": "espnet_distill.students.replace_decoder",
    "unpack": "espnet_distill.experiments.unpack",
}
__all__ = [*_API, "register", "version"]


def __getattr__(name: str):
    """Import a name of the API."""
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_API[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
