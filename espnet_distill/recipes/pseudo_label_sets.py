"""The data folders of a run's pseudo-labels."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from espnet_distill.data.front_end import RECORD, prepare_lines
from espnet_distill.recipes.front_end import front_end_of_run
from espnet_distill.recipes.layout import Layout
from espnet_distill.utils.files import read_table, read_text, write_text


def sorted_lines(*paths: Path) -> str:
    """Return the lines of files in the order of ``LC_ALL=C sort``."""
    lines = [line for path in paths for line in read_text(path).split("\n") if line]
    return "".join(f"{line}\n" for line in sorted(lines, key=str.encode))


def prepared_text(layout: Layout) -> str:
    """Return the lines of the text for pseudo-labels as the recordings' text is.

    It is normalized, and phonemized, if the training set's was.
    """
    options, path = layout.options, Path(layout.options.pseudo_label_text)
    recorded = layout.raw(options.train_set)
    text = sorted_lines(path)
    if not (recorded / RECORD).is_file():
        return text
    lines = dict(line.split(maxsplit=1) for line in text.splitlines())
    front_end = front_end_of_run(options, recorded)
    prepared = prepare_lines(lines, front_end, str(path))
    return "".join(f"{utterance} {words}\n" for utterance, words in prepared.items())


def write_text_set(layout: Layout) -> str:
    """Write the data folder of the text that the teacher synthesizes.

    Each utterance gets the first recording and the first speaker of the training set,
    since stage 8 of tts.sh requires them.

    Returns:
        A line with the number of utterances.
    """
    text = prepared_text(layout)
    recorded, out = layout.raw(layout.aligned_sets[0]), layout.raw(layout.text_set)
    utterances = [line.split(maxsplit=1)[0] for line in text.splitlines()]
    write_text(out / "text", text)
    for name in ("utt2spk", "wav.scp"):
        value = next(iter(read_table(recorded / name).values()))
        _write_table(out / name, ((utt, value) for utt in utterances))
    write_text(out / "feats_type", "raw\n")
    return f"{out}: {len(utterances)} utterances to synthesize\n"


def _write_table(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    write_text(path, "".join(f"{key} {value}\n" for key, value in rows))


def add_pseudo_labels(layout: Layout) -> str:
    """Write the training set of recordings and pseudo-labels, and its durations.

    Returns:
        A line that names the set.
    """
    recorded, out = layout.aligned_sets[0], layout.training_sets[0]
    labels = layout.align_dir / layout.text_set
    for name in ("text", "utt2spk", "wav.scp"):
        lines = sorted_lines(layout.raw(recorded) / name, labels / name)
        write_text(layout.raw(out) / name, lines)
    shutil.copyfile(layout.raw(recorded) / "feats_type", layout.raw(out) / "feats_type")
    durations = (layout.align_dir / recorded / "durations", labels / "durations")
    write_text(layout.align_dir / out / "durations", sorted_lines(*durations))
    return f"{layout.raw(out)}: {recorded} and {layout.text_set}\n"
