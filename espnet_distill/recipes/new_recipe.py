"""`espnet-distill new-recipe`: write a recipe for a corpus of one speaker."""

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from espnet_distill.data.front_end import FrontEnd, prepare_lines
from espnet_distill.data.metadata import Clip
from espnet_distill.errors import ConfigError
from espnet_distill.recipes.corpus import MELS, Corpus, choose_rate, read_corpus
from espnet_distill.recipes.corpus_front_end import choose_front_end
from espnet_distill.recipes.shell_values import require_word
from espnet_distill.recipes.sizes import (
    Sizes,
    choose_sizes,
    student_config,
    teacher_config,
)
from espnet_distill.recipes.template import SCRIPTS, template_root
from espnet_distill.utils.files import (
    folder_written_whole,
    require_makeable,
    write_text,
)
from espnet_distill.utils.quiet import stderr_suppressed

COPIED = ("path.sh", "cmd.sh", "jobs.sh", "link_espnet.sh")
TEMPLATES = {  # below corpus/ of the scripts → in the recipe
    "run.sh": "run.sh",
    "data.sh": "local/data.sh",
    "db.sh": "db.sh",
    "README.md": "README.md",
}
COUNTS = ("num_train", "num_dev", "num_eval")
SAMPLE = 20  # sentences that the front end is tried on


def new_recipe(
    folder: str | Path,
    metadata: str | Path,
    wavs: str | Path,
    g2p: str,
    *,
    language: str | None = None,
    speaker: str | None = None,
    fs: int | None = None,
    steps: int | None = None,
) -> list[str]:
    """Write a recipe for a corpus of one speaker: data, teacher, student, evaluation.

    Args:
        folder: The recipe, such as ``egs/<name>/tts1``, in any place.
        metadata: Lines ``id|text`` or ``id|text|normalized text``.
        wavs: The folder of the recordings.
        g2p: ``espnet_distill.recipes.corpus_front_end`` describes the names.
        language: A tag such as ``de``; None is the g2p's.
        speaker: The speaker's name; None is that of the recipe.
        fs: Sampling rate in Hz; None is chosen by the corpus.
        steps: Updates of the teacher; None is chosen by the hours of speech.

    Returns:
        Lines of a report.

    Raises:
        ConfigError: The folder is not empty, or an option or the corpus is invalid.
    """
    folder, metadata, wavs = Path(folder), Path(metadata), Path(wavs)
    _require_empty(folder)
    name = require_word(_name_of(folder), str(folder))
    speaker = require_word(speaker or name, "--speaker")
    if steps is not None and steps < 1:
        raise ConfigError(f"--steps: {steps} is not above 0")
    front_end = choose_front_end(g2p, language)
    corpus = read_corpus(metadata, wavs)
    rate = choose_rate(corpus, fs)
    tokens = _try_front_end(front_end, corpus.clips, str(metadata))
    sizes = choose_sizes(corpus.hours, steps)
    values = _values(corpus, front_end, sizes, rate)
    values |= {
        "name": name,
        "speaker": speaker,
        "metadata": shlex.quote(str(metadata.resolve())),
        "wavs": shlex.quote(str(wavs.resolve())),
    }
    with folder_written_whole(folder) as beside:
        _write(beside, values, sizes)
    return _report(folder, corpus, values, tokens)


def _require_empty(folder: Path) -> None:
    require_makeable(folder)
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: exists and is not empty; name a new folder")


def _name_of(folder: Path) -> str:
    """Return the corpus's name in ``egs/<name>/tts1``, or the folder's own."""
    folder = Path(os.path.abspath(folder))
    return folder.parent.name if folder.name == "tts1" else folder.name


def _try_front_end(
    front_end: FrontEnd, clips: Sequence[Clip], metadata: str
) -> list[str]:
    """Return lines of the tokens of the first text, and of what a sample of them lost.

    Raises:
        ConfigError: A text has no words, a package of the front end is missing, or it
            fails on a text.
    """
    from espnet_distill.data.text_report import ONCE, report_text, tokens_of

    texts = {clip.utterance: clip.text for clip in clips}
    prepared = prepare_lines(texts, replace(front_end, cleaner=None), metadata)
    sample = [clip.utterance for clip in clips[:: len(clips) // SAMPLE]]
    lines = {name: prepared[name] for name in sample}
    with stderr_suppressed():
        tokens = tokens_of(lines, front_end)[sample[0]]
        findings = report_text(lines, front_end)
    name, language = front_end.name, front_end.language
    return [f"{name}, language {language}: {' '.join(tokens[:30])}"] + [
        f"{finding.title}, in {len(lines)} texts: {', '.join(finding.examples)}"
        for finding in findings
        if finding.title != ONCE
    ]


def _values(
    corpus: Corpus, front_end: FrontEnd, sizes: Sizes, rate: int
) -> dict[str, str]:
    """Return the values of the templates' placeholders."""
    options = {"fs": rate, **MELS[rate]}
    options |= {"f0min": corpus.f0[0], "f0max": corpus.f0[1]}
    options |= {"token_type": front_end.token_type, "g2p": front_end.g2p or "none"}
    options |= {"cleaner": front_end.cleaner or "none", "language": front_end.language}
    options |= {"align_steps": sizes.align_steps}
    lines = (f"    --{name} {value} \\" for name, value in options.items())
    voice = front_end.voice
    prepare = f"--voice {voice}" if voice else f"--language {front_end.language}"
    values = vars(sizes) | {name: getattr(corpus, name) for name in COUNTS}
    values |= {"clips": len(corpus.clips), "hours": f"{corpus.hours:.2f}"}
    values |= {"fs": rate, "f0min": corpus.f0[0], "f0max": corpus.f0[1]}
    values |= {"language": front_end.language, "front_end": front_end.name}
    values |= {"options": "\n".join(lines), "prepare": prepare}
    return {name: str(value) for name, value in values.items()}


def _write(folder: Path, values: dict[str, str], sizes: Sizes) -> None:
    scripts = template_root() / SCRIPTS
    for name in COPIED:
        shutil.copyfile(scripts / name, folder / name)
    for source, target in TEMPLATES.items():
        text = (scripts / "corpus" / source).read_text("utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        write_text(folder / target, text)
        if target.endswith(("run.sh", "data.sh")):
            (folder / target).chmod(0o755)
    for kind, configure in (("teacher", teacher_config), ("student", student_config)):
        text = (scripts / f"conf/train_{kind}.yaml").read_text("utf-8")
        write_text(folder / f"conf/train_{kind}.yaml", configure(text, sizes))


def _report(
    folder: Path, corpus: Corpus, values: dict[str, str], tokens: list[str]
) -> list[str]:
    left_out = f", {corpus.long} above 20 s left out" if corpus.long else ""
    lines = [
        f"{{clips}} clips, {{hours}} h at {corpus.rate} Hz{left_out}",
        "{num_train} train, {num_dev} validate, {num_eval} are held out",
        "F0 from {f0min} to {f0max} Hz; trained at {fs} Hz",
        "teacher: FastSpeech2, width {adim}, {teacher_steps} steps",
        "student: {student}, {student_steps} steps",
    ]
    command = f"cd {shlex.quote(str(folder))} && ./run.sh --train_teacher true"
    return [
        *(line.format(**values) for line in lines),
        *tokens,
        f"{folder}: written; {command}",
    ]
