"""`espnet-distill unpack`: a packed model or a tag becomes an experiment folder."""

import hashlib
import shutil
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.files import cache_folder


def unpack(archive: Path, out: Path) -> Path:
    """Unpack what `espnet2.bin.pack` made and return the experiment's folder.

    Nothing is done if `out` was unpacked from the same archive before.

    Raises:
        ConfigError: No such archive, one that is broken, no packed TTS model, or a
            folder `out` that holds something else.
    """
    if not archive.is_file():
        raise ConfigError(f"{archive}: no such packed model")
    stamp, stat = out / "unpacked_from", archive.stat()
    size_and_time = f"{archive.resolve()} {stat.st_size} {stat.st_mtime_ns}\n"
    if out.exists() and not stamp.is_file():
        raise ConfigError(
            f"{out}: is no unpacked model; name another folder or remove it"
        )
    if not (stamp.is_file() and stamp.read_text("utf-8") == size_and_time):
        _unpack_beside(archive, out)
        stamp.write_text(size_and_time, encoding="utf-8")
    configs = sorted(out.rglob("config.yaml"))
    if len(configs) != 1:
        raise ConfigError(f"{archive}: expected one config.yaml, found {len(configs)}")
    return configs[0].parent


def unpack_into_cache(archive: Path) -> Path:
    """Unpack into a folder of the cache that belongs to this archive's path."""
    place = hashlib.sha256(str(archive.resolve()).encode()).hexdigest()[:16]
    return unpack(archive, cache_folder() / "unpacked" / place)


def _unpack_beside(archive: Path, out: Path) -> None:
    """Unpack under the name itself: ESPnet writes it into the configuration."""
    from espnet2.main_funcs.pack_funcs import unpack

    if out.exists():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        unpack(archive, out)
    except Exception as error:  # zipfile, yaml and ESPnet's own checks
        shutil.rmtree(out, ignore_errors=True)
        reason = " ".join(str(error).split())
        raise ConfigError(f"{archive}: cannot be unpacked: {reason}") from error


def add_arguments(parser) -> None:
    parser.add_argument(
        "model", type=Path, help="a .zip that espnet2.bin.pack made, or a tag"
    )
    parser.add_argument("out", type=Path, help="the folder to make")


def main(args) -> None:
    from espnet_distill.teachers.adopt import adopt

    if args.model.suffix == ".zip":
        print(unpack(args.model, args.out))
    else:
        print(adopt(str(args.model), args.out))
