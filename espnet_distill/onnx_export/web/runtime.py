"""onnxruntime-web, MIT: two files of the npm package, from a folder or from npm."""

import hashlib
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import cache_folder, read_json, work_folder

VERSION = "1.30.0"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
MODULE = "dist/ort.wasm.bundle.min.mjs"
WASM = "dist/ort-wasm-simd-threaded.wasm"


@dataclass(frozen=True)
class WebRuntime:
    """What a page needs of onnxruntime-web.

    Attributes:
        version: Its version.
        module: The JavaScript module.
        wasm: The WebAssembly that it loads.
    """

    version: str
    module: bytes
    wasm: bytes


def find_runtime(package: Path | None = None) -> WebRuntime:
    """Return onnxruntime-web.

    Args:
        package: The folder of the package, such as ``node_modules/onnxruntime-web``;
            without it, npm downloads the package into the cache.

    Raises:
        ConfigError: The folder is not that package, or npm is missing or fails.
    """
    if package is None:
        return _read_archive(_download())
    settings = read_json(package / "package.json")
    if not isinstance(settings, dict) or settings.get("name") != "onnxruntime-web":
        raise ConfigError(f"{package / 'package.json'}: is not that of onnxruntime-web")
    for name in (MODULE, WASM):
        if not (package / name).is_file():
            raise ConfigError(f"{package / name}: no such file; take version {VERSION}")
    module, wasm = ((package / name).read_bytes() for name in (MODULE, WASM))
    return WebRuntime(str(settings.get("version")), module, wasm)


def _download() -> Path:
    """Return the archive of the package, whose checksum was compared."""
    archive = cache_folder() / f"onnxruntime-web-{VERSION}.tgz"
    if archive.is_file() and _is_right(archive):
        return archive
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigError(
            "npm: not installed; install Node.js, or give --web-runtime the folder of "
            "onnxruntime-web"
        )
    with work_folder(archive) as folder:
        command = [npm, "pack", f"onnxruntime-web@{VERSION}", "--pack-destination"]
        done = subprocess.run(
            [*command, folder], cwd=folder, capture_output=True, text=True
        )
        made = folder / archive.name
        if not made.is_file() or not _is_right(made):
            (*_, reason) = ["another archive", *done.stderr.strip().splitlines()]
            raise ConfigError(
                f"npm: cannot get onnxruntime-web {VERSION} ({reason}); give "
                "--web-runtime the folder of the package"
            )
        made.replace(archive)
    return archive


def _is_right(archive: Path) -> bool:
    return hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256


def _read_archive(path: Path) -> WebRuntime:
    with tarfile.open(path) as archive:
        module, wasm, settings = (
            archive.extractfile(f"package/{name}").read()
            for name in (MODULE, WASM, "package.json")
        )
    return WebRuntime(json.loads(settings)["version"], module, wasm)
