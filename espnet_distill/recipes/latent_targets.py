"""The latents of a text-to-waveform teacher as the targets of its student.

Stage 7 of tts.sh trains on features of the data, instead of mels of the waveforms, where
``--teacher_dumpdir`` has for a set:

    probs              marks such a set
    denorm/feats.scp   utterance and path of an array (T, C)
    speech_shape       utterance and T,C
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import statistics_name
from espnet_distill.experiments.ids import LANGUAGES, SPEAKERS, takes
from espnet_distill.experiments.text_to_wave import conditioning_of
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.trained import conditions_of
from espnet_distill.utils.files import (
    read_durations,
    read_table,
    read_text,
    read_yaml,
    write_text,
)
from espnet_distill.vocoders.latents import LISTS, write_statistics

LATENTS, _ = LISTS["latents"]
MARKER = "probs"


def appends_condition(layout: Layout) -> bool:
    """Return True if latents include the decoder's conditioning, of several speakers."""
    options = layout.options
    if not layout.is_latent or options.speaker or options.speech_script:
        return False
    return conditioning_of(read_yaml(layout.teacher_config)) > 0


def require_several(layout: Layout) -> None:
    """Raise a ConfigError if the conditioning is the same in all utterances."""
    if not appends_condition(layout):
        return
    raw = layout.raw(layout.options.train_set)
    tables = [raw / name for name in _tables_of_conditions(layout)]
    values = [sorted(set(read_table(table).values())) for table in tables]
    if all(len(found) == 1 for found in values):
        raise ConfigError(
            f"{tables[0]}: has one value, {values[0][0]}: a student of latents is of "
            f"several speakers or languages of {layout.teacher_config}, or of one "
            "--speaker"
        )


def _tables_of_conditions(layout: Layout) -> list[str]:
    """Return the tables of the ids that the teacher takes; of embeddings, the names.

    Speakers that the teacher does not have share an id.
    """
    conditions = conditions_of(read_yaml(layout.teacher_config))
    tables = {
        "spks": SPEAKERS.numbers,
        "langs": LANGUAGES.numbers,
        "spk_embed_dim": SPEAKERS.names,
    }
    return [
        table for key, table in tables.items() if takes(key, conditions.get(key) or 0)
    ]


def write_targets(layout: Layout) -> str:
    """Write the targets of the student's training, their statistics and shapes.

    Returns:
        A line with the numbers of utterances and channels.

    Raises:
        ConfigError: Arrays differ in their channels, or have values that are not finite.
    """
    train, valid = (_latents_of(layout, name) for name in layout.training_sets)
    for split, name, latents in zip(
        ("train", "valid"), layout.training_sets, (train, valid)
    ):
        _write_set(layout.align_dir / name, latents)
        _write_text_shapes(layout, split, name, latents)
    _, channels = _shape(next(iter(train.values())))
    target = layout.stats_dir / "train" / statistics_name("feats")
    write_statistics(target, train, channels)
    return f"{target}: latents of {len(train)} utterances, {channels} channels\n"


def count_channels(layout: Layout) -> int | None:
    """Return the number of latents of the written targets; None if there are none."""
    folder = layout.align_dir / layout.training_sets[0]
    if not (folder / MARKER).is_file():
        return None
    shape = next(iter(read_table(folder / "speech_shape").values()))
    return int(shape.partition(",")[2])


def remove_targets(layout: Layout) -> None:
    """Let a student of mels be trained where one of latents was."""
    for name in layout.training_sets:
        (layout.align_dir / name / MARKER).unlink(missing_ok=True)


def _latents_of(layout: Layout, name: str) -> dict[str, str]:
    """Return utterance → file of the latents of a set."""
    listed: dict[str, str] = {}
    for speech in layout.speech_of(name):
        listed |= read_table(speech / LATENTS)
    return {key: listed[key] for key in read_table(layout.raw(name) / "text")}


def _write_set(folder: Path, latents: dict[str, str]) -> None:
    shapes = {key: _shape(path) for key, path in latents.items()}
    rows = (f"{key} {path}\n" for key, path in latents.items())
    write_text(folder / "denorm/feats.scp", "".join(rows))
    rows = (f"{key} {frames},{size}\n" for key, (frames, size) in shapes.items())
    write_text(folder / "speech_shape", "".join(rows))
    write_text(folder / MARKER, "")


def _write_text_shapes(
    layout: Layout, split: str, name: str, utterances: Iterable[str]
) -> None:
    """Write the numbers of tokens, which stage 7 of tts.sh batches by."""
    durations = read_durations(layout.align_dir / name / "durations", utterances)
    tokens = {key: len(row) - 1 for key, row in durations.items()}  # without <sos/eos>
    size = len(read_text(layout.token_list).splitlines())
    path = layout.stats_dir / split / f"text_shape.{layout.options.token_type}"
    write_text(
        path, "".join(f"{key} {count},{size}\n" for key, count in tokens.items())
    )


def _shape(path: str) -> tuple[int, int]:
    return np.load(path, mmap_mode="r", allow_pickle=False).shape
