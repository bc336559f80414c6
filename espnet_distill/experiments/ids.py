"""Ids and embeddings of the speakers and languages of a trained model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_distill.errors import ConfigError, suggest, summarize
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_to_wave import parameters
from espnet_distill.utils.files import read_table

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Kind:
    """The names that tts.sh uses for speaker ids or for language ids.

    Attributes:
        data: The name of the ids in a training's data.
        names: The file utterance → speaker or language name of a data folder.
        numbers: The file utterance → id of a data folder.
        table: The file name → id.
        option: The option of tts.sh that enables the ids.
    """

    data: str
    names: str
    numbers: str
    table: str
    option: str


SPEAKERS = Kind("sids", "utt2spk", "utt2sid", "spk2sid", "use_sid")


LANGUAGES = Kind("lids", "utt2lang", "utt2lid", "lang2lid", "use_lid")


def ids_of(kind: Kind, teacher: Experiment) -> dict[str, str]:
    """Return the ids of the speakers or languages of a teacher: name → id.

    Args:
        kind: SPEAKERS or LANGUAGES.
        teacher: The teacher. A packed model contains the table that tts.sh wrote; the
            checkpoint may be a link into the folder of an unpacked model.

    Raises:
        ConfigError: The teacher was trained without such ids, or the table is missing.
    """
    beside = teacher.config_file.parent / kind.table
    if beside.is_file():  # written by `unpack` and `import-piper`
        return read_table(beside)
    data = teacher.config.get("train_data_path_and_name_and_type") or []
    paths = [Path(path) for path, name, _ in data if name == kind.data]
    if not paths:
        raise ConfigError(
            f"{teacher}: was trained without {kind.data}; leave out --{kind.option} true"
        )
    folder = paths[0].parent
    org = _root(teacher.config_file, teacher.checkpoint) / folder.parent / "org"
    table = org / folder.name / kind.table
    if not table.is_file():
        raise ConfigError(f"{table}: no such file; it has the {kind.data} of {teacher}")
    return read_table(table)


def _root(config: Path, checkpoint: Path) -> Path:
    """Return the base of relative paths: the unpacked archive, or this folder."""
    parents = (*config.resolve().parents, *checkpoint.resolve().parents)
    unpacked = (folder for folder in parents if (folder / "meta.yaml").is_file())
    return next(unpacked, Path())


UNKNOWN = "<unk>"  # the name of id 0


# Keys of tts_conf that condition on the speaker.
SPEAKER_KEYS = ("spks", "spk_embed_dim", "spk_embed_integration_type")


def without_speakers(tts_conf: Mapping | None) -> dict:
    """Return a ``tts_conf`` of one speaker."""
    return {
        key: value for key, value in (tts_conf or {}).items() if key not in SPEAKER_KEYS
    }


def takes(key: str, size: float) -> bool:
    """Return True if a model takes the ids or embeddings of a key of ``tts_conf``.

    ESPnet's models of one speaker or language (1), or of none (-1, 0), take no ids.

    Args:
        key: ``spks``, ``langs`` or ``spk_embed_dim``.
        size: Its value.
    """
    return size > (0 if key == "spk_embed_dim" else 1)


def has_speakers(tts_conf: Mapping) -> bool:
    """Return True if a model takes speaker ids or embeddings."""
    return any(takes(key, tts_conf.get(key) or 0) for key in ("spks", "spk_embed_dim"))


def speaker_inputs(
    experiment: Experiment, speaker: str, option: str = "--speaker"
) -> dict[str, "torch.Tensor"]:
    """Return the inputs of a model that select one of its speakers.

    Args:
        experiment: A model of several speakers.
        speaker: The speaker's name.
        option: The option that names it, for messages.

    Returns:
        ``sids`` (1, 1) and ``spembs`` (1, spk_embed_dim), those that the model takes.
        The embedding is the mean over the speaker's recordings in the training set.

    Raises:
        ConfigError: The model has one speaker or none of this name, or the table of ids
            or embeddings is missing.
    """
    conf, inputs = parameters(experiment.config), {}
    if not has_speakers(conf):
        raise ConfigError(
            f"{option} {speaker}: {experiment} has one speaker; leave {option} out"
        )
    if (conf.get("spks") or 0) > 1:
        ids = dict(ids_of(SPEAKERS, experiment))
        ids.pop(UNKNOWN, None)
        _require_speaker(speaker, ids, experiment, option)
        import torch

        inputs["sids"] = torch.tensor([[int(ids[speaker])]])
    if (conf.get("spk_embed_dim") or 0) > 0:
        table = _table_of_embeddings(experiment)
        places = read_table(table)
        _require_speaker(speaker, places, experiment, option)
        embedding = read_embedding(places[speaker], table)
        if len(embedding) != conf["spk_embed_dim"]:
            raise ConfigError(
                f"{table}: {speaker}: an embedding of {len(embedding)} values; "
                f"{experiment} takes {conf['spk_embed_dim']}"
            )
        inputs["spembs"] = embedding[None]
    return inputs


def _require_speaker(
    speaker: str, known: Mapping, experiment: Experiment, option: str
) -> None:
    if speaker not in known:
        raise ConfigError(
            f"{option} {speaker}: {experiment} has no such speaker; "
            f"{suggest(speaker, known)}"
        )


def _table_of_embeddings(experiment: Experiment) -> Path:
    """Return the table of the speakers' mean embeddings that tts.sh wrote."""
    data = experiment.config.get("train_data_path_and_name_and_type") or []
    paths = [Path(path) for path, name, _ in data if name == "spembs"]
    if not paths:
        raise ConfigError(f"{experiment}: was trained without spembs")
    relative = paths[0].with_name(f"spk_{paths[0].name}")
    beside = experiment.config_file.with_name(relative.name)
    if beside.is_file():  # written by `unpack`
        return beside
    table = _root(experiment.config_file, experiment.checkpoint) / relative
    if not table.is_file():
        raise ConfigError(
            f"{table}: no such file; it has the speakers' embeddings of {experiment}"
        )
    return table


def read_embedding(place: str, table: Path) -> "torch.Tensor":
    """Return an embedding (values,) of a Kaldi archive.

    Args:
        place: Archive and offset, ``FILE:OFFSET``, as in a ``.scp``.
        table: The ``.scp``, for messages; the archive may lie beside it.

    Raises:
        ConfigError: The archive is missing, or has no vector there.
    """
    from omniio.kaldi import load_mat

    file, _, offset = place.rpartition(":")
    beside = table.parent / Path(file).name
    source = file if Path(file).is_file() else beside
    if not Path(source).is_file() or not offset.isdecimal():
        raise ConfigError(f"{table}: {place!r} is no archive and offset")
    try:
        import torch

        embedding = torch.tensor(load_mat(f"{source}:{offset}")).float()
    except Exception as error:  # of the archive's reader
        raise ConfigError(f"{table}: {place}: {summarize(error)}") from error
    if not embedding.isfinite().all():
        raise ConfigError(f"{table}: {place}: is not finite")
    return embedding.flatten()
