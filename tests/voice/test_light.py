"""The light distribution: its wheel, where neither PyTorch nor ESPnet is installed."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from espnet_distill.voice.normalization import normalize
from espnet_distill.voice.phonemes import phonemize

from ..wheel import ROOT
from .tiny import expected, make_voice

PROJECT = tomllib.loads((ROOT / "runtime/pyproject.toml").read_text())["project"]
PROMPTS = ROOT / "egs/hibari/tts1/local/prompts.txt"
PHONEMIZE = """
import json, sys
from espnet_distill_voice.normalization import normalize
from espnet_distill_voice.phonemes import phonemize
json.dump([phonemize(normalize(text, "en")) for text in json.load(sys.stdin)], sys.stdout)
"""


def requirements(lines) -> set[str]:
    """Return the names of distributions that requirements lead to here."""
    names = set()
    for line in lines:
        if "extra ==" in line:
            continue
        name = re.match(r"[\w.-]+", line)[0]
        names |= {name} | requirements(metadata.requires(name) or [])
    return names


def link(name: str, site: Path) -> None:
    """Link what a distribution has installed here."""
    distribution = metadata.distribution(name)
    tops = {file.parts[0] for file in distribution.files}
    for top in tops - {"..", "__pycache__"}:
        if not (site / top).exists():
            (site / top).symlink_to(distribution.locate_file(top))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build a wheel of the sdist of a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("runtime", "espnet_distill/voice"):
        ignore = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore)
    shutil.copy(ROOT / "LICENSE", folder)
    build = "from setuptools import build_meta; build_meta.build_{}('..')"
    quiet = {"check": True, "capture_output": True}
    python = [sys.executable, "-c"]
    subprocess.run([*python, build.format("sdist")], cwd=folder / "runtime", **quiet)
    (archive,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(archive, folder, filter="data")
    (sources,) = folder.glob("espnet_distill_voice-*/")
    subprocess.run([*python, build.format("wheel")], cwd=sources, **quiet)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory):
    """The programs of an environment with the wheel and what it requires alone."""
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("light") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["text"]]
    for name in requirements(needed):
        link(name, site)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python3", "-q"]
    subprocess.run([*pip, "install", "--no-deps", wheel], check=True)
    return folder / "bin"


def run(program, *arguments, **options):
    command, place = [program, *map(str, arguments)], program.parent
    return subprocess.run(command, capture_output=True, env={}, cwd=place, **options)


def test_the_environment_has_neither_pytorch_nor_espnet(programs):
    for name in ("torch", "espnet2", "espnet", "espnet_distill", "yaml"):
        done = run(programs / "python3", "-c", f"import {name}")
        assert b"ModuleNotFoundError" in done.stderr, name


def test_the_program_synthesizes(programs, tmp_path):
    voice, out = make_voice(tmp_path / "voice"), tmp_path / "x.raw"
    arguments = ("synthesize", voice, "It is $5.", "--raw", "--out", out)
    done = run(programs / "espnet-distill-voice", *arguments, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    samples = (expected("It is five dollars.") * 32767).round()
    np.testing.assert_array_equal(np.frombuffer(out.read_bytes(), "<i2"), samples)


def test_its_errors_are_one_line(programs, tmp_path):
    voice = make_voice(tmp_path / "voice", format_version=2)
    done = run(
        programs / "espnet-distill-voice", "synthesize", voice, "a", "--out", "-"
    )
    assert (done.returncode, done.stdout) == (2, b"")
    line = done.stderr.decode()
    assert line.startswith("espnet-distill-voice synthesize: error: ")
    assert line.endswith("is newer than 1; upgrade the runtime\n")
    assert line.count("\n") == 1


def test_its_front_end_is_that_of_the_package(programs):
    """Which is ESPnet's, in test_phonemes.py."""
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()[:200]
    prompts = [line.split(maxsplit=1)[1] for line in lines] + ["$5.20 in 1999."]
    done = run(
        programs / "python3", "-c", PHONEMIZE, input=json.dumps(prompts), text=True
    )
    tokens = [phonemize(normalize(text, "en")) for text in prompts]
    assert json.loads(done.stdout) == tokens, done.stderr


def test_its_version_is_that_of_the_package():
    text = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert f'version="{PROJECT["version"]}"' in text


def test_wheels_for_a_raspberry_pi(tmp_path):
    """What is compiled has wheels for aarch64, Debian 12 and Python 3.11.

    num2words and its docopt, of which there is no wheel, are pure Python.
    """
    needed = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["text"]}
    compiled = [name for name in needed if not name.startswith("num2words")]
    options = ["--only-binary=:all:", "--platform", "manylinux_2_28_aarch64"]
    command = ["install", "--dry-run", "--ignore-installed", "--target", tmp_path]
    pip = [sys.executable, "-m", "pip", "-q", *command, "--report", "-", *options]
    pip += ["--python-version", "3.11", "--retries", "1"]
    done = subprocess.run([*pip, *compiled], capture_output=True, text=True)
    if done.returncode and "from versions" not in done.stderr:
        pytest.skip("the package index is not reached")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)["install"]
    names = {item["metadata"]["name"].replace("_", "-").lower() for item in report}
    assert names >= {*compiled, "protobuf", "flatbuffers"}
