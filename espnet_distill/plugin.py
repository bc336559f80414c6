"""The one place that touches ESPnet's registries."""

import importlib
import importlib.abc
import importlib.util
import sys

from espnet_distill.errors import ConfigError
from espnet_distill.extensions import entries, load, taken
from espnet_distill.students import VARIANTS

TASK_MODULE = "espnet2.tasks.tts"
PROGRAMS = ("espnet2.bin.tts_train", "espnet2.bin.tts_inference")


def register() -> None:
    """Put the plugin's task in TTSTask's place, for programs run from now on.

    Calling it again changes nothing. A class of ESPnet's that is already held by the
    caller keeps working as it did.
    """
    task_module = importlib.import_module(TASK_MODULE)
    from espnet_distill.tasks.text2mel import DistillTTSTask

    task_module.TTSTask = DistillTTSTask
    for name in PROGRAMS:
        if name in sys.modules:
            sys.modules[name].TTSTask = DistillTTSTask


def register_students() -> None:
    """Add students to the choices of ``--tts``: the package's and other packages'.

    Raises:
        ConfigError: A name of another package's that cannot be chosen, or is taken.
    """
    choices = importlib.import_module(TASK_MODULE).tts_choices.classes
    for name, place in VARIANTS.items():
        module, _, kind = place.rpartition(".")
        students = importlib.import_module(f"espnet_distill.students.{module}")
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
    """Register once ESPnet's TTS task is imported, so that others start fast."""
    if TASK_MODULE in sys.modules:
        register()
    else:
        sys.meta_path.insert(0, _RegisterAfterImport())


class _RegisterAfterImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, leaves its loading to the loader it has, and then registers."""

    def find_spec(self, name, path, target=None):
        if name != TASK_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        self.loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        register()
