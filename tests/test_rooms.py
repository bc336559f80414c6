"""Imports run one way: a room imports what stands before it in ROOMS, and no circles."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "espnet_distill"
# From the ground up; a line's rooms do not know of each other.
ROOMS = (
    ("voice",),
    ("errors",),
    ("utils", "entry_points"),
    ("objectives", "structure"),
    ("experiments",),
    ("data",),
    ("teachers",),
    ("profiling",),
    ("vocoders",),
    ("students",),
    ("training",),
    ("pruning",),
    ("evaluation", "recipes", "plugin", "onnx_export"),
    ("tasks",),
    ("bin",),
    ("cli",),
    ("__init__", "__main__"),
)
WITHOUT_ESPNET = ("objectives", "structure", "voice")
RUNTIME = {"espeakng_loader", "num2words", "numpy", "onnxruntime"}
FLOORS = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
}


def imports(module: str) -> set[str]:
    """Return the modules of the package that one imports, inside functions, too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        package, _, inner = absolute(node, module).partition(".")
        if package != "espnet_distill":
            continue
        for alias in node.names:
            names = (f"{inner}.{alias.name}".lstrip("."), inner, f"{inner}.__init__")
            found.add(next((name for name in names if name in MODULES), "__init__"))
    return found


def absolute(node: ast.ImportFrom, module: str) -> str:
    """Return the full name of what a module imports from."""
    if not node.level:
        return node.module or ""
    above = ["espnet_distill", *module.split(".")][: -node.level]
    return ".".join([*above, *filter(None, [node.module])])


def packages(module: str) -> set[str]:
    """Return the top-level packages that a module imports, inside functions, too."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(absolute(node, module))
    return {name.partition(".")[0] for name in names}


def room(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_nothing_above_its_room(module):
    own = FLOORS[room(module)]
    above = {
        other
        for other in imports(module)
        if room(other) != room(module)
        and FLOORS[room(other)] >= own
        and other != "__init__"  # which has the version
    }
    assert not above


@pytest.mark.parametrize(
    "module", sorted(name for name in MODULES if room(name) in WITHOUT_ESPNET)
)
def test_a_room_imports_nothing_of_espnet(module):
    assert not packages(module) & {"espnet", "espnet2", "espnet3", "espnetez"}


@pytest.mark.parametrize(
    "module", sorted(name for name in MODULES if room(name) == "voice")
)
def test_the_runtime_needs_little_and_is_of_python_3_11(module):
    text = MODULES[module].read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 11))
    relative = packages(module) - {"espnet_distill"}
    assert relative <= RUNTIME | sys.stdlib_module_names
    imported = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    assert not any((node.module or "").startswith("espnet_d") for node in imported)
    assert not any(room(name) != "voice" for name in imports(module))


def test_no_circle_of_imports():
    left = {module: imports(module) - {module, "__init__"} for module in MODULES}
    while free := [
        module for module, others in left.items() if not others & left.keys()
    ]:
        for module in free:
            del left[module]
    assert not left
