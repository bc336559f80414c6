"""`espnet-distill unpack`: a packed model or a tag becomes an experiment folder."""

import hashlib
import stat
import zipfile
from pathlib import Path, PurePosixPath

from espnet_distill.errors import ConfigError, in_one_line
from espnet_distill.files import cache_folder, folder_written_whole
from espnet_distill.portable import write_moved


def unpack(archive: Path, out: Path) -> Path:
    """Unpack what `espnet2.bin.pack` made and return the experiment's folder.

    Nothing is done if `out` was unpacked from the same archive before. A process that
    is killed leaves what was there, or nothing.

    Raises:
        ConfigError: No such archive, one that is broken, no packed TTS model, or a
            folder `out` that holds something else.
    """
    if not archive.is_file():
        raise ConfigError(f"{archive}: no such packed model")
    stamp, found = out / "unpacked_from", archive.stat()
    size_and_time = f"{archive.resolve()} {found.st_size} {found.st_mtime_ns}\n"
    if out.exists() and not stamp.is_file():
        raise ConfigError(
            f"{out}: is no unpacked model; name another folder or remove it"
        )
    if not (stamp.is_file() and stamp.read_text("utf-8") == size_and_time):
        with folder_written_whole(out, instead=True) as beside:
            _unpack(archive, beside)
            config = _config_in(beside, archive)
            write_moved(config, beside, out)
            (beside / stamp.name).write_text(size_and_time, encoding="utf-8")
    return _config_in(out, archive).parent


def _config_in(folder: Path, archive: Path) -> Path:
    configs = sorted(folder.rglob("config.yaml"))
    if len(configs) != 1:
        raise ConfigError(f"{archive}: expected one config.yaml, found {len(configs)}")
    return configs[0]


def unpack_into_cache(archive: Path) -> Path:
    """Unpack into a folder of the cache that belongs to this archive's path."""
    place = hashlib.sha256(str(archive.resolve()).encode()).hexdigest()[:16]
    return unpack(archive, cache_folder() / "unpacked" / place)


def _unpack(archive: Path, out: Path) -> None:
    from espnet2.main_funcs.pack_funcs import unpack

    try:
        _require_no_escape(archive)
        unpack(archive, out)
    except Exception as error:  # zipfile, yaml and ESPnet's own checks
        reason = error.strerror if isinstance(error, OSError) else None
        raise ConfigError(
            f"{archive}: cannot be unpacked: {reason or in_one_line(error)}"
        ) from error


def _require_no_escape(archive: Path) -> None:
    """Raise an error if a member would lie outside the folder, or leads there."""
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{member.filename} lies outside the folder")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise ValueError(f"{member.filename} is a link")


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
