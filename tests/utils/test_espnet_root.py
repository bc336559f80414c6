import hashlib
import io
import os
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.utils.espnet_root import (
    SDIST_SHA256,
    SORT_EMBEDDINGS,
    TTS_SH,
    espnet_root,
    link_folders,
)

NAME = f"espnet-{metadata.version('espnet')}"

# A build backend that needs no other package: pip asks an sdist for its metadata.
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = f"""
import os

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    if "BUILT" in os.environ:
        open(os.environ["BUILT"], "w").close()
    info = "{NAME}.dist-info"
    os.mkdir(os.path.join(folder, info))
    with open(os.path.join(folder, info, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: espnet\\nVersion: {NAME[7:]}\\n")
    return info
"""
FILES = {
    TTS_SH: "# tts.sh\n",
    "egs2/TEMPLATE/tts1/path.sh": "",
    "egs2/TEMPLATE/tts1/sid/a.py": "",
    "egs2/TEMPLATE/asr1/path.sh": "",
    "egs2/TEMPLATE/asr1/utils/a.sh": "",
    "egs2/TEMPLATE/asr1/steps/a.sh": "",
    "egs2/TEMPLATE/asr1/scripts/a.sh": "",
    "egs2/TEMPLATE/asr1/pyscripts/a.py": "",
    "egs2/corpus/asr1/path.sh": "",
    "egs2/corpus/asr1/local/data.sh": "",
    "egs2/corpus/tts1/path.sh": "",
    "egs2/own/tts1/path.sh": "",
    "egs2/own/tts1/local/data.sh": "",
    "egs2/own/tts1/scripts/own.sh": "",
    "egs2/own/conf/a.yaml": "",
}


def write_tree(root: Path) -> Path:
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def listing(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and pip with no index but tmp_path/sdists."""
    monkeypatch.delenv("ESPNET_ROOT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "sdists"))
    (tmp_path / "sdists").mkdir()
    return tmp_path / "cache" / "espnet_distill"


# The checksum that is expected is that of the small sdist below.
PROGRAM = """
import sys
from espnet_distill.cli import main as cli
from espnet_distill.utils import espnet_root
espnet_root.SDIST_SHA256[sys.argv[1]] = sys.argv[2]
sys.exit(cli.main(["espnet-root"]))
"""


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def sdist(tmp_path, cache, monkeypatch):
    """A small sdist of the installed ESPnet version, where pip finds it."""
    path = tmp_path / "sdists" / f"{NAME}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in {
            **FILES,
            "pyproject.toml": PYPROJECT,
            "backend.py": BACKEND,
        }.items():
            member = tarfile.TarInfo(f"{NAME}/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    monkeypatch.setitem(SDIST_SHA256, NAME[7:], sha256(path))
    return path


def test_set_root_is_returned_and_not_touched(tmp_path, monkeypatch):
    root = write_tree(tmp_path / "espnet")
    before = listing(root)
    monkeypatch.setenv("ESPNET_ROOT", str(root))
    assert espnet_root() == root
    assert listing(root) == before


def test_set_root_without_recipes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ESPNET_ROOT", str(tmp_path))
    with pytest.raises(ConfigError, match=f"ESPNET_ROOT={tmp_path} has no {TTS_SH}"):
        espnet_root()


def test_lost_links_are_made_and_present_folders_stay(tmp_path):
    egs2 = write_tree(tmp_path) / "egs2"
    template = set(listing(egs2 / "TEMPLATE"))
    link_folders(tmp_path)
    for name in ("utils", "steps", "scripts", "pyscripts"):
        shared = (egs2 / "TEMPLATE/asr1" / name).resolve()
        assert (egs2 / "corpus/tts1" / name).resolve() == shared
        assert (egs2 / "corpus/asr1" / name).resolve() == shared
    assert (egs2 / "corpus/tts1/sid/a.py").is_file()
    assert (egs2 / "corpus/tts1/local/data.sh").is_file()
    assert not os.path.lexists(egs2 / "corpus/asr1/sid")
    assert (egs2 / "own/tts1/scripts/own.sh").is_file()
    assert not (egs2 / "own/tts1/local").is_symlink()
    assert listing(egs2 / "own/conf") == ["a.yaml"]
    assert set(listing(egs2 / "TEMPLATE")) == template


def test_links_stay_valid_when_the_tree_moves(tmp_path):
    link_folders(write_tree(tmp_path / "here"))
    (tmp_path / "here").rename(tmp_path / "there")
    assert (tmp_path / "there/egs2/corpus/tts1/utils/a.sh").is_file()


def test_sdist_is_fetched_once(cache, sdist, capfd):
    root = espnet_root()
    assert root == cache / NAME
    assert (root / "egs2/corpus/tts1/utils/a.sh").is_file()
    assert os.listdir(cache) == [NAME]
    assert "[1/3]" in capfd.readouterr().err
    sdist.unlink()
    assert espnet_root() == root
    assert capfd.readouterr() == ("", "")


def test_two_processes_fetch_at_once(cache, sdist):
    command = [sys.executable, "-c", PROGRAM, NAME[7:], sha256(sdist)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    printed = [process.communicate()[0].decode().strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert printed == [str(cache / NAME)] * 2
    assert os.listdir(cache) == [NAME]


def test_an_sdist_that_was_changed_is_refused(cache, sdist, monkeypatch):
    monkeypatch.setitem(SDIST_SHA256, NAME[7:], "0" * 64)
    monkeypatch.setenv("BUILT", str(cache.parent / "built"))
    message = "pip's sdist is not ESPnet's release, whose SHA-256 is 0000"
    with pytest.raises(ConfigError, match=message) as caught:
        espnet_root()
    assert "\n" not in str(caught.value)
    assert os.listdir(cache) == []
    assert not (cache.parent / "built").exists(), "its code was run"


def test_sdist_of_unknown_version_is_reported(cache, sdist, monkeypatch, capfd):
    monkeypatch.delitem(SDIST_SHA256, NAME[7:])
    assert espnet_root() == cache / NAME
    assert f"SHA-256 of ESPnet {NAME[7:]} is not known" in capfd.readouterr().err


def test_the_installed_version_has_a_checksum():
    assert NAME[7:] in SDIST_SHA256


def test_failed_download_is_one_line_and_leaves_nothing(cache):
    with pytest.raises(ConfigError, match="check the network, or set ESPNET") as caught:
        espnet_root()
    assert "\n" not in str(caught.value)
    assert os.listdir(cache) == []


def test_cache_that_cannot_be_written(cache):
    cache.parent.write_text("a file, not a folder")
    with pytest.raises(ConfigError, match="XDG_CACHE_HOME") as caught:
        espnet_root()
    assert "\n" not in str(caught.value)


def test_real_recipe_has_its_folders():
    recipe = espnet_root() / "egs2/mini_an4/tts1"
    for name in ("utils", "steps", "scripts", "pyscripts", "sid", "local"):
        assert any((recipe / name).iterdir()), name
    if "ESPNET_ROOT" not in os.environ:
        assert os.access(recipe / SORT_EMBEDDINGS, os.X_OK)
