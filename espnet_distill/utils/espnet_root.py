"""Locate ESPnet's recipe tree: `$ESPNET_ROOT`, or ESPnet's sdist in a cache."""

import os
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import cache_folder, work_folder

TTS_SH = "egs2/TEMPLATE/tts1/tts.sh"


# tts.sh calls it for speaker embeddings; ESPnet 202611 has it without the mode to run.
SORT_EMBEDDINGS = "scripts/utils/sort_spk_embed_scp.sh"


SDIST_SHA256 = {  # of ESPnet's releases on PyPI, by version
    "202611": "eb5816c4d2e4a18eaa2afacc2f8cf74f93e5534dec0fdcee0b2c89b6f7ddd1fd"
}


def espnet_root() -> Path:
    """Return the folder of ESPnet's sources, which contains ``egs2/``.

    ``$ESPNET_ROOT`` is used if it is set; it is never written to. Otherwise the first
    call downloads the sdist of the installed ESPnet version with pip into
    ``${XDG_CACHE_HOME:-~/.cache}/espnet_distill``.

    Raises:
        ConfigError: ``$ESPNET_ROOT`` has no recipes, the sdist cannot be downloaded, or
            its checksum is not that of ESPnet's release.
    """
    if root := os.environ.get("ESPNET_ROOT"):
        return _require_recipes(Path(root).resolve())
    version = metadata.version("espnet")
    root = cache_folder() / f"espnet-{version}"
    if not _has_recipes(root):
        _fetch(version, root)
    script = root / "egs2/TEMPLATE/asr1" / SORT_EMBEDDINGS
    if script.is_file() and not os.access(script, os.X_OK):
        script.chmod(0o755)
    return root


def link_folders(root: Path) -> None:
    """Recreate the links to folders that ESPnet's sdist does not contain.

    They are those of ``egs2/TEMPLATE/*/setup.sh``, and ``local`` where a tts1 recipe
    uses the data preparation of asr1. Existing files are kept.
    """
    for path_sh in sorted(root.glob("egs2/*/*/path.sh")):
        recipe = path_sh.parent
        if recipe.parent.name == "TEMPLATE":
            continue
        for name in ("utils", "steps", "scripts", "pyscripts"):
            _link(recipe / name, f"../../TEMPLATE/asr1/{name}")
        if recipe.name == "tts1":
            _link(recipe / "sid", "../../TEMPLATE/tts1/sid")
            _link(recipe / "local", "../asr1/local")


def _has_recipes(root: Path) -> bool:
    return (root / TTS_SH).is_file()


def _require_recipes(root: Path) -> Path:
    if not _has_recipes(root):
        raise ConfigError(
            f"ESPNET_ROOT={root} has no {TTS_SH}: name a folder of ESPnet's sources, "
            "or unset it to have them fetched"
        )
    return root


def _fetch(version: str, root: Path) -> None:
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with work_folder(root) as scratch:
            _log(f"[1/3] downloading the recipes of ESPnet {version} (36 MB, once)")
            sdist = _download(version, scratch)
            _log("[2/3] unpacking them")
            tree = _unpack(sdist, scratch)
            _log(f"[3/3] linking their folders, in {root}")
            link_folders(tree)
            _move(tree, root)
    except (OSError, tarfile.TarError) as error:
        raise ConfigError(
            f"{root}: cannot keep ESPnet's recipes there ({error}); make room, or set "
            "XDG_CACHE_HOME to another cache or ESPNET_ROOT to ESPnet's sources"
        ) from error


def _download(version: str, folder: Path) -> Path:
    """Download the sdist; pip verifies its hash before any of its code is run."""
    requirement = folder / "requirements.txt"
    requirement.write_text(_requirement(version), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--no-input", "--no-deps"]
    pip += ["--no-binary", "espnet", "--dest", str(folder), "-r", str(requirement)]
    done = subprocess.run(pip, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    sdists = list(folder.glob("espnet-*.tar.gz"))
    if "DO NOT MATCH THE HASHES" in done.stderr:
        raise ConfigError(
            f"espnet=={version}: pip's sdist is not ESPnet's release, whose SHA-256 is "
            f"{SDIST_SHA256[version]}; check pip's index, or set ESPNET_ROOT to "
            "ESPnet's sources"
        )
    if done.returncode or not sdists:
        raise ConfigError(
            f"espnet=={version}: pip cannot download its sdist ({_reason(done)}); "
            "check the network, or set ESPNET_ROOT to ESPnet's sources"
        )
    return sdists[0]


def _requirement(version: str) -> str:
    """Return a requirement for pip, with the hash of the release if it is known."""
    if version not in SDIST_SHA256:
        _log(f"the SHA-256 of ESPnet {version} is not known here; its sdist is trusted")
        return f"espnet=={version}\n"
    return f"espnet=={version} --hash=sha256:{SDIST_SHA256[version]}\n"


def _reason(process: subprocess.CompletedProcess) -> str:
    lines = (process.stdout + process.stderr).splitlines()
    errors = [line for line in lines if line.startswith("ERROR:")]
    return next(iter(errors + lines[-1:]), f"exit status {process.returncode}")


def _unpack(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def _link(link: Path, target: str) -> None:
    if not os.path.lexists(link) and (link.parent / target).is_dir():
        link.symlink_to(target)


def _move(tree: Path, root: Path) -> None:
    try:
        tree.rename(root)
    except OSError:
        if not _has_recipes(root):  # else another process created it first
            raise


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
