"""Register the plugin's tasks and students in ESPnet."""

import importlib
import importlib.abc
import importlib.util
import sys
from dataclasses import dataclass

from espnet_distill.entry_points import entries, load, taken
from espnet_distill.errors import ConfigError
from espnet_distill.students.registry import SYNTHESIZERS, VARIANTS
from espnet_distill.voice.espeak import provide_espeak

TTS, GAN_TTS = "espnet2.tasks.tts", "espnet2.tasks.gan_tts"


@dataclass(frozen=True)
class TaskPatch:
    """A replacement of a task class of ESPnet.

    Attributes:
        name: Attribute of ESPnet's module.
        module: Module of the plugin's class.
        task: Name of the plugin's class.
        programs: Modules of ESPnet that import the attribute by name.
    """

    name: str
    module: str
    task: str
    programs: tuple[str, ...]


TASK_PATCHES = {
    TTS: TaskPatch(
        "TTSTask",
        "espnet_distill.tasks.text2mel",
        "DistillTTSTask",
        ("espnet2.bin.tts_train", "espnet2.bin.tts_inference"),
    ),
    GAN_TTS: TaskPatch(
        "GANTTSTask",
        "espnet_distill.tasks.mel2wav",
        "DistillGANTTSTask",
        ("espnet2.bin.gan_tts_train",),
    ),
}


def register() -> None:
    """Replace ESPnet's tasks by the plugin's, for programs that run afterwards.

    The call is idempotent. ESPnet's classes themselves are not modified.
    """
    for module in TASK_PATCHES:
        _replace_task(module)
    provide_espeak()


def _replace_task(module: str) -> None:
    patch = TASK_PATCHES[module]
    task_module = importlib.import_module(module)
    task = getattr(importlib.import_module(patch.module), patch.task)
    setattr(task_module, patch.name, task)
    for name in patch.programs:
        if name in sys.modules:
            setattr(sys.modules[name], patch.name, task)


def register_students() -> None:
    """Add the models of this and of other packages to the choices of ``--tts``.

    Raises:
        ConfigError: An entry point's name is not lower case, or is taken.
    """
    choices = importlib.import_module(TTS).tts_choices.classes
    for name, place in (VARIANTS | SYNTHESIZERS).items():
        module, _, kind = place.rpartition(".")
        students = importlib.import_module(f"espnet_distill.students.models.{module}")
        choices[name] = getattr(students, kind)
    base = importlib.import_module("espnet2.tts.abs_tts").AbsTTS
    for name, entry in entries("students").items():
        if name != name.lower():
            raise ConfigError(
                f"{entry.dist.name}: student {name!r}: --tts takes lower case only"
            )
        student = load(entry, base)
        if choices.setdefault(name, student) is not student:
            raise taken(entry, choices[name].__module__)


def register_when_imported() -> None:
    """Register each task when ESPnet's is imported; other programs start without it."""
    for module in TASK_PATCHES:
        if module in sys.modules:
            _replace_task(module)
        else:
            sys.meta_path.insert(0, _TaskPatcher(module))
    provide_espeak()


class _TaskPatcher(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import hook that replaces a task after the original loader has run its module."""

    def __init__(self, module: str):
        self.module = module

    def find_spec(self, name, path, target=None):
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        self.loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        _replace_task(self.module)
