"""`espnet-distill unpack`: a packed model or a tag becomes an experiment folder."""

import hashlib
from pathlib import Path

import yaml

from espnet_distill.errors import ConfigError, in_one_line
from espnet_distill.experiments.archive import CONFIG, MODEL, PackedModel
from espnet_distill.files import (
    cache_folder,
    folder_written_whole,
    remove_abandoned,
    write_text,
)
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.locking import locked

STAMP = "unpacked_from"


def unpack(archive: Path, out: Path) -> Path:
    """Unpack what `espnet2.bin.pack` made into a folder, and return the folder.

    Its files have names of our own, whatever the archive calls them: `config.yaml`,
    `model.pth`, `feats_stats.npz` and the like.

    Nothing is done if `out` was unpacked from the same archive before. A process that
    is killed leaves what was there, or nothing.

    Raises:
        ConfigError: No such archive, one that is broken, no packed TTS model, or a
            folder `out` that holds something else.
    """
    if not archive.is_file():
        raise ConfigError(f"{archive}: no such packed model")
    stamp = f"{checksum(archive)}\n"
    if out.parent.is_dir():
        remove_abandoned(out.parent)
    if not _is_unpacked(out, stamp):
        with locked(out.parent, wait=True):
            _unpack_instead(archive, out, stamp)
    return out


def _unpack_instead(archive: Path, out: Path, stamp: str) -> None:
    """Unpack unless another process has done so while this one waited."""
    if out.exists() and not _stamp_of(out):
        raise ConfigError(
            f"{out}: is no unpacked model; name another folder or remove it"
        )
    if not _is_unpacked(out, stamp):
        with folder_written_whole(out, instead=True) as beside:
            _unpack(archive, beside, out)
            (beside / STAMP).write_text(stamp, encoding="utf-8")


def _is_unpacked(folder: Path, stamp: str) -> bool:
    """Return whether a folder holds, whole, what an archive of this checksum has."""
    is_whole = all((folder / name).is_file() for name in (CONFIG, MODEL))
    return is_whole and _stamp_of(folder) == stamp


def _stamp_of(folder: Path) -> str:
    """Return the checksum of the archive that a folder was unpacked from, or ""."""
    path = folder / STAMP
    return path.read_text("utf-8") if path.is_file() else ""


def unpack_into_cache(archive: Path) -> Path:
    """Unpack into a folder of the cache that belongs to this archive's path."""
    place = hashlib.sha256(str(archive.resolve()).encode()).hexdigest()[:16]
    return unpack(archive, cache_folder() / "unpacked" / place)


def _unpack(archive: Path, beside: Path, out: Path) -> None:
    try:
        with PackedModel(archive) as packed:
            conf = packed.write(beside, out)
    except Exception as error:  # zipfile, zlib, yaml and the limits raise their own
        reason = error.strerror if isinstance(error, OSError) else None
        raise ConfigError(
            f"{archive}: cannot be unpacked: {reason or in_one_line(error)}"
        ) from error
    write_text(beside / CONFIG, yaml.safe_dump(conf, sort_keys=False))


def add_arguments(parser) -> None:
    parser.add_argument(
        "model", type=Path, help="a .zip that espnet2.bin.pack made, or hub:owner/name"
    )
    parser.add_argument("out", type=Path, help="the folder to make")


def main(args) -> None:
    from espnet_distill.teachers.adopt import adopt

    if args.model.suffix == ".zip":
        print(unpack(args.model, args.out))
    else:
        print(adopt(str(args.model), args.out))
