"""Packed models and tags: archives become experiment folders under fixed names."""

import hashlib
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

import yaml

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.experiments.config import STATISTICS, statistics_name
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.files import (
    cache_folder,
    folder_written_whole,
    remove_abandoned,
    write_text,
    written_whole,
)
from espnet_distill.utils.limited_yaml import MAX_BYTES, load_limited
from espnet_distill.utils.locking import locked

CONFIG, MODEL = "config.yaml", "model.pth"


META = "meta.yaml"


MAX_MEMBERS = 10_000


MAX_UNPACKED = 16 * 2**30  # bytes


MAX_RATIO = 200  # of unpacked to packed bytes; a model's weights hardly shrink


SMALL = 2**20  # bytes, of which no ratio is too much


TRUSTED = "if you trust it, unzip it and name the folder of its config.yaml"


FILES = {"bpemodel": "bpe.model", "non_linguistic_symbols": "nlsyms.txt"}  # by key


TABLES = ("spk2sid", "lang2lid")


class PackedModel:
    """A packed TTS model, open for reading.

    Raises:
        ValueError: It lacks a part of a packed model, is larger than one or malformed.
        zipfile.BadZipFile: It is no zip, or damaged.
    """

    def __init__(self, path: Path):
        """Open an archive; see that unpacking it is safe."""
        self._zip = zipfile.ZipFile(path)
        try:
            self._members = {one.filename: one for one in self._zip.infolist()}
            require_limits(self._zip.infolist())
            self._require_plain_members()
            meta = self._read_yaml(self._meta())
            self._config = self._named(meta, "yaml_files", "train_config")
            self._model = self._named(meta, "files", "model_file")
            self.conf = self._read_yaml(self._config)
            if not isinstance(self.conf, dict) or "tts" not in self.conf:
                raise ValueError(f"{self._config.filename}: no `tts` key")
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> "PackedModel":
        return self

    def __exit__(self, *_) -> None:
        self._zip.close()

    def write(self, folder: Path, seen_as: Path) -> dict:
        """Write its files into a folder; return the configuration that names them.

        Args:
            folder: Where the files go.
            seen_as: The name that the folder will have.
        """
        self._extract(self._model, folder / MODEL)
        conf = with_own_names(self.conf, self._copy_to(folder), seen_as)
        tables = {*TABLES, *_names_of_embeddings(self.conf)}
        for member in self._members.values():  # of tts.sh's speakers and languages
            name = PurePosixPath(member.filename).name
            if name in tables and not (folder / name).exists():
                self._extract(member, folder / name)
        return conf

    def _copy_to(self, folder: Path) -> Callable[[str, str], bool]:
        def copy(source: str, name: str) -> bool:
            member = self._member(source)
            if member is not None:
                self._extract(member, folder / name)
            return member is not None

        return copy

    def _member(self, name: str) -> zipfile.ZipInfo | None:
        """Find a member by the name that it was packed under; zip drops a root's /."""
        return self._members.get(name) or self._members.get(name.lstrip("/"))

    def _named(self, meta, kind: str, key: str) -> zipfile.ZipInfo:
        names = meta.get(kind) if isinstance(meta, dict) else None
        name = names.get(key) if isinstance(names, dict) else None
        member = self._member(name) if isinstance(name, str) else None
        if member is None:
            raise ValueError(f"{META} names no member as {kind}.{key}")
        return member

    def _meta(self) -> zipfile.ZipInfo:
        for name, member in self._members.items():
            if PurePosixPath(name).name == META:
                return member
        raise ValueError(f"Format error: not found {META}")

    def _read_yaml(self, member: zipfile.ZipInfo):
        if member.file_size > MAX_BYTES:
            raise ValueError(f"{member.filename}: {member.file_size} bytes of YAML")
        return load_limited(self._zip.read(member).decode("utf-8"))

    def _extract(self, member: zipfile.ZipInfo, target: Path) -> None:
        with self._zip.open(member) as source, open(target, "wb") as out:
            shutil.copyfileobj(source, out, 2**20)

    def _require_plain_members(self) -> None:
        """Raise a ValueError if a member would lie outside a folder, or leads there."""
        for name, member in self._members.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name!r} lies outside the folder")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise ValueError(f"{name} is a link")


def _names_of_embeddings(conf: Mapping) -> Iterator[str]:
    """Yield the file names of the speakers' mean embeddings that tts.sh packs."""
    for item in conf.get("train_data_path_and_name_and_type") or []:
        if isinstance(item, list) and len(item) == 3 and item[1] == "spembs":
            tag = PurePosixPath(str(item[0])).stem
            yield from (f"spk_{tag}.scp", f"spk_{tag}.ark")


def require_limits(members: list[zipfile.ZipInfo]) -> None:
    """Raise a ValueError if an archive would unpack to more than a model can be."""
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"{len(members)} members, more than {MAX_MEMBERS}; {TRUSTED}")
    size = sum(member.file_size for member in members)
    if size > MAX_UNPACKED:
        raise ValueError(
            f"{size / 2**30:.1f} GiB unpacked, more than {MAX_UNPACKED / 2**30:.0f}; "
            f"{TRUSTED}"
        )
    packed = sum(member.compress_size for member in members)
    if size > SMALL and size > MAX_RATIO * packed:
        raise ValueError(
            f"{packed} bytes unpack to {size}, more than {MAX_RATIO} times as many; "
            f"{TRUSTED}"
        )


def with_own_names(
    conf: Mapping, copy: Callable[[str, str], bool], folder: Path
) -> dict:
    """Return a configuration whose files have our names in a folder.

    Args:
        conf: The configuration of a trained experiment.
        copy: Puts a file that the configuration names into the folder under one of our
            names. Return whether there is such a file; missing files keep their names.
        folder: As the configuration is to name it.
    """
    changed = dict(conf)
    for key, kind in STATISTICS.items():
        inner, name = conf.get(key), statistics_name(kind)
        source = inner.get("stats_file") if isinstance(inner, dict) else None
        if isinstance(source, str) and copy(source, name):
            changed[key] = inner | {"stats_file": str(folder / name)}
    for key, name in FILES.items():
        source = conf.get(key)
        if isinstance(source, str) and copy(source, name):
            changed[key] = str(folder / name)
    return changed


def copy_into(folder: Path) -> Callable[[str, str], bool]:
    """Return a function for `with_own_names` that copies files into a folder."""

    def copy(source: str, name: str) -> bool:
        if not Path(source).is_file():
            return False
        with written_whole(folder / name) as beside:
            shutil.copyfile(source, beside)
        return True

    return copy


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
            f"{archive}: cannot be unpacked: {reason or summarize(error)}"
        ) from error
    write_text(beside / CONFIG, yaml.safe_dump(conf, sort_keys=False))
