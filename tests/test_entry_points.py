"""What other packages add by entry points, in YAML."""

import sys

import pytest

from espnet_distill.entry_points import entries
from espnet_distill.errors import ConfigError
from espnet_distill.objectives.registry import Mel, build_objective
from espnet_distill.plugin import register_students
from espnet_distill.training.registry import build_callback

from .conftest import run_python

SOURCE = """
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet_distill.objectives.base import Objective
from espnet_distill.training.callback import Callback

class Loud(Objective):
    def __init__(self, level: float, weight: float = 1.0):
        super().__init__(weight)
        self.level = level

class Watch(Callback):
    def __init__(self, every: int, where: str = "here"):
        self.every, self.where = every, where

class Student(FastSpeech2):
    pass

number = 3
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution on the path, as pip does: a module and its entry points."""
    monkeypatch.syspath_prepend(tmp_path)

    written = []

    def write(name, source=SOURCE, **groups):
        written.append(name)
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n")
        sections = [
            f"[espnet_distill.{kind}]\n{entry}" for kind, entry in groups.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(sections))
        (tmp_path / f"{name}.py").write_text(source)
        entries.cache_clear()  # another fixture may have looked meanwhile

    yield write
    entries.cache_clear()
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def choices(monkeypatch):
    """The choices of `--tts`, left as they were."""
    from espnet_distill.tasks.text2mel import tts_choices

    monkeypatch.setattr(tts_choices, "classes", dict(tts_choices.classes))
    return tts_choices


def refusal(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_objective_takes_its_keys_and_its_weight(install):
    install("extra", objectives="loud = extra:Loud")
    objective = build_objective({"type": "loud", "level": 3, "weight": 2})
    assert (type(objective).__name__, objective.level) == ("Loud", 3)
    assert objective.weight == 2.0
    assert refusal(build_objective, {"type": "loud"}).endswith("needs the key 'level'")


def test_a_callback_takes_its_arguments(install):
    install("extra", callbacks="watch = extra:Watch")
    callback = build_callback({"type": "watch", "every": 5})
    assert (callback.every, callback.where) == (5, "here")
    wrong = refusal(build_callback, {"type": "watch", "evry": 5}, "callbacks[2]")
    assert wrong == "callbacks[2]: watch: missing a required argument: 'every'"
    wrong = refusal(build_callback, {"type": "watch", "every": 5, "at": 1})
    assert wrong == "callbacks: watch: got an unexpected keyword argument 'at'"


def test_a_student_is_a_choice_as_often_as_it_is_registered(install, choices):
    install("extra", students="my_student = extra:Student")
    register_students()
    register_students()
    assert choices.get_class("my_student").__name__ == "Student"


def test_what_there_is_names_those_of_others(install):
    install("extra", objectives="loud = extra:Loud", callbacks="watch = extra:Watch")
    assert refusal(build_objective, {"type": "lod"}).endswith(
        ", relation, stft, f0, free_phase, loud"
    )
    assert refusal(build_callback, {"type": "x"}).endswith(
        "there are bfloat16, prune, watch"
    )


@pytest.mark.parametrize(
    "entry, message",
    [
        (
            "missing:Loud",
            "cannot import missing:Loud: ModuleNotFoundError: No module named",
        ),
        ("extra:Lod", "cannot import extra:Lod: AttributeError: "),
        ("extra:Watch", "extra:Watch is no subclass of Objective"),
        ("extra:number", "extra:number is no subclass of Objective"),
    ],
)
def test_what_cannot_be_imported_is_one_line(install, entry, message):
    install("extra", objectives=f"loud = {entry}")
    place = "extra: entry point 'loud' of espnet_distill.objectives: "
    error = refusal(build_objective, {"type": "loud"})
    assert error.startswith(place + message)
    assert type(build_objective({"type": "mel"})) is Mel  # which has no part in it


def test_a_module_that_fails_is_one_line_that_names_its_package(install):
    install("extra", "raise ValueError('two\\nlines')", objectives="loud = extra:Loud")
    message = refusal(build_objective, {"type": "loud"})
    assert "ValueError: two lines; repair or uninstall extra" in message


def test_a_name_has_one_owner(install, choices):
    install("extra", objectives="mel = extra:Loud", students="fastspeech2 = extra:A")
    assert "espnet_distill has that name" in refusal(build_objective, {"type": "mel"})
    install("other", objectives="mel = other:Loud")
    entries.cache_clear()
    message = refusal(build_objective, {"type": "hidden", "tap": "encoder"})
    assert {"extra", "other"} <= set(message.replace(":", "").split())


@pytest.mark.parametrize(
    "entry, message",
    [
        (
            "fastspeech2 = extra:Student",
            "espnet2.tts.fastspeech2.fastspeech2 has that name, too",
        ),
        ("MyStudent = extra:Student", "--tts takes lower case only"),
        ("my_student = extra:Loud", "extra:Loud is no subclass of AbsTTS"),
    ],
)
def test_a_student_that_cannot_be_chosen(install, choices, entry, message):
    stock = choices.get_class("fastspeech2")
    install("extra", students=entry)
    assert message in refusal(register_students)
    assert choices.get_class("fastspeech2") is stock


def test_entry_points_are_found_without_torch(install, tmp_path):
    install("extra", objectives="loud = extra:Loud")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from espnet_distill.entry_points import entries\n"
        "print(*entries('objectives'), *{'torch', 'numpy', 'extra'} & set(sys.modules))"
    )
    assert run_python("-c", program, tmp_path).stdout == "loud\n"
