"""Checksums of the inputs of a recipe's results, which decide on their reuse.

Each result has a file ``made_from`` with the checksums of its inputs, one per line.
"""

from collections.abc import Mapping
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import statistics_name
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.identity import MADE_FROM
from espnet_distill.recipes.latent_targets import LATENTS
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.made_from import (
    checksum_of_file,
    checksum_of_keys,
    checksum_of_table,
    checksum_of_vocoder,
)
from espnet_distill.recipes.teacher_settings import FEATURES, PITCH
from espnet_distill.utils.checksums import checksum_of_words
from espnet_distill.utils.files import read_text, read_yaml, write_text

EXTRACTORS = ("feats_extract", "pitch_extract", "energy_extract")


def format_key(checksums: Mapping[str, str]) -> str:
    """Return the content of ``made_from``."""
    return "".join(f"{name}: {value}\n" for name, value in checksums.items())


def is_made(result: Path, key: str) -> bool:
    """Return True if a result was made from these inputs."""
    path = result / MADE_FROM
    return path.is_file() and path.read_text(encoding="utf-8") == key


def is_of_others(result: Path, key: str) -> bool:
    """Return True if a result was made from other inputs; False if these are unknown."""
    return (result / MADE_FROM).is_file() and not is_made(result, key)


def mark_made(result: Path, key: str) -> None:
    """Record the inputs of a result."""
    write_text(result / MADE_FROM, key)


def statistics_key(layout: Layout) -> str:
    """Return the key of the statistics: data, tokens, settings of the features."""
    options, sets = layout.options, layout.training_sets
    checksums = {}
    for name in sets:
        durations = layout.align_dir / name / "durations"
        checksums[f"{name}/text"] = checksum_of_file(layout.raw(name) / "text")
        checksums[f"{name}/durations"] = checksum_of_file(durations)
    if options.teacher_stats:
        checksums["teacher"] = checksum_of_file(layout.teacher_model)
    checksums["tokens"] = checksum_of_file(layout.token_list)
    for name in sets:
        table = layout.raw(name) / "wav.scp"
        checksums[f"{name}/wav.scp"] = checksum_of_table(table)
        if layout.is_latent:
            for speech in layout.speech_of(name):
                table = speech / LATENTS
                checksums[str(table)] = checksum_of_table(table)
    settings = [getattr(options, name) for name in (*FEATURES, *PITCH)]
    settings.append(str(options.teacher_stats).lower())
    checksums["settings"] = checksum_of_words(" ".join(settings))
    return format_key(checksums | _extractors(layout))


def _extractors(layout: Layout) -> dict[str, str]:
    """Return the checksums of the student's own settings of each feature that it takes."""
    path = Path(layout.options.student_config)
    conf = read_yaml(path) or {}
    return {
        kind: checksum_of_keys(path, f"{kind},{kind}_conf")
        for kind in EXTRACTORS
        if kind in conf or f"{kind}_conf" in conf
    }


def require_same_statistics(layout: Layout) -> None:
    """Raise a ConfigError if the statistics are of other data or settings."""
    folder = layout.stats_dir
    is_used = 3 < layout.options.stage <= 6 and (folder / MADE_FROM).exists()
    if is_used and not _has_lines(folder / MADE_FROM, statistics_key(layout)):
        raise ConfigError(
            f"{folder}: is of other data or settings; run stage 3 again, or name "
            "another --stats_dir"
        )


def _has_lines(path: Path, key: str) -> bool:
    """Return True if a file has the lines of a key; more are of features not taken."""
    return {*key.splitlines()} <= {*read_text(path).splitlines()}


def synthesis_key(layout: Layout, checkpoint: Path) -> str:
    """Return the key of speech: model, its noise, vocoder, texts, recordings, ids, options."""
    options = layout.options
    checksums, tables = Experiment(checkpoint).identity, {}
    for name in options.test_sets.split():
        raw = layout.raw(name)
        for file in ("text", "utt2sid", "utt2lid"):
            checksums[f"{name}/{file}"] = checksum_of_file(raw / file)
        tables[f"{name}/wav.scp"] = raw / "wav.scp"
        if options.has_tts_flag("use_spk_embed"):
            embeddings = sorted(Path(options.dumpdir).glob(f"*/{name}/*.scp"))
            tables |= {str(path): path for path in embeddings}
    checksums |= {name: checksum_of_table(path) for name, path in tables.items()}
    checksums["vocoder"] = checksum_of_vocoder(options.vocoder_file)
    checksums["options"] = checksum_of_words(f"tts.sh {options.tts_opts}")
    if layout.is_synthesized and checkpoint == layout.teacher_model:
        noise = f"{options.noise_scale} {options.noise_scale_dur}"
        checksums["noise"] = checksum_of_words(noise)
    return format_key(checksums)


def warm_start_key(layout: Layout) -> str:
    """Return the key of initial weights: the teacher, the student's model."""
    checksums = Experiment(layout.teacher_model).identity
    checksums["model"] = checksum_of_keys(layout.student_config, "tts,tts_conf")
    return format_key(checksums)


def compaction_key(layout: Layout, checkpoint: Path) -> str:
    """Return the key of a compacted student: model, front end, statistics."""
    checksums = Experiment(checkpoint).identity
    checksums["bpemodel"] = checksum_of_file(layout.bpemodel or "")
    for kind in ("feats", "pitch", "energy"):
        path = layout.stats_dir / "train" / statistics_name(kind)
        checksums[f"{kind}_stats"] = checksum_of_file(path)
    checksums["stats"] = checksum_of_words(str(layout.stats_dir))
    return format_key(checksums)
