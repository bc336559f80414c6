"""Build a wheel of the package, and install it into an environment of its own."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILT_FROM = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
RECIPES_MAKE = ("data", "dump", "exp", "downloads", "pretrained")


def build(folder: Path) -> Path:
    """Build a wheel from a copy of the sources, and remove the copy."""
    sources = folder / "sources"
    sources.mkdir()
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, sources)
    shutil.copytree(ROOT / "espnet_distill", sources / "espnet_distill")
    shutil.copytree(ROOT / "conf", sources / "conf")
    ignore = shutil.ignore_patterns(*RECIPES_MAKE)
    shutil.copytree(ROOT / "egs", sources / "egs", symlinks=True, ignore=ignore)
    options = ["--no-deps", "--no-build-isolation", "-w", folder]
    pip = [sys.executable, "-m", "pip", "-q", "wheel", *options, sources]
    subprocess.run(pip, check=True)
    shutil.rmtree(sources)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Make an environment with a wheel and this one's dependencies.

    This environment's own installation of the package, which is of the source tree,
    is not part of it.

    Returns:
        The folder of its programs.
    """
    venv = [sys.executable, "-m", "venv", "--without-pip", folder]
    subprocess.run(venv, check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    dependencies = Path(sysconfig.get_paths()["purelib"])
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    shutil.copy(dependencies / "distutils-precedence.pth", site)  # for ESPnet
    python = folder / "bin/python3"
    options = ["--python", python, "-q", "install", "--no-deps", wheel]
    subprocess.run([sys.executable, "-m", "pip", *options], check=True)
    return folder / "bin"
