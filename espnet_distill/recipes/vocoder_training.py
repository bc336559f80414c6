"""The training configuration of a run's small vocoder."""

import os
import shutil
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.run_options import RunOptions
from espnet_distill.recipes.student_training import (
    read_conf,
    student_model,
    write_conf,
)
from espnet_distill.utils.files import write_text

# Without recordings of the same phase, a complex STFT loss does not apply.
MAGNITUDE_ONLY = {"objectives": [{"type": "stft", "complex": 0.0}]}


def require_vocoder_options(options: RunOptions) -> None:
    """Raise a ConfigError if the preset or the speech of the vocoder is missing."""
    if not options.vocoder_preset:
        return
    layout = Layout(options)
    preset, speech = layout.vocoder_preset, options.vocoder_speech
    if not preset.is_file():
        raise ConfigError(
            f"--vocoder_preset: {preset.parent}: no such preset: "
            f"{options.vocoder_preset}"
        )
    if not Path(options.vocoder_config).is_file():
        raise ConfigError(f"--vocoder_config {options.vocoder_config}: no such file")
    if speech in ("", "recordings"):
        return
    for name in (options.train_set, options.valid_set):
        if not layout.wave_list(name).is_file():
            raise ConfigError(
                f"--vocoder_speech {speech}: no {name}/wav/wav.scp in it; tts.sh 8 "
                "makes it"
            )


def require_vocoder_targets(layout: Layout) -> None:
    """Raise a ConfigError if the vocoder has neither a vocoder nor speech to learn from.

    Or if its folder has the targets of mels instead of latents, or the reverse.
    """
    options = layout.options
    if not options.vocoder_preset:
        return
    targets = layout.waves_dir / "train"
    if targets.exists() and targets.is_symlink() != layout.is_latent:
        raise ConfigError(
            f"{targets}: is of a vocoder with another --student_features; name another "
            "--vocoder_tag"
        )
    if layout.vocoder_speech:
        return
    if not Path(options.vocoder_file).is_file():
        raise ConfigError(
            f"--vocoder_preset {options.vocoder_preset}: --vocoder_file "
            f"{options.vocoder_file} is no generator to learn from; or set "
            "--vocoder_speech"
        )


def write_vocoder_config(layout: Layout, student: Path) -> Path:
    """Write the vocoder's training configuration; return its path.

    Args:
        layout: The run's layout.
        student: The student's experiment, whose mels the vocoder is trained for.
    """
    options = layout.options
    conf = read_conf(options.vocoder_config)
    is_harmonic = options.vocoder_preset.startswith("harmonic_")
    if layout.vocoder_speech and not is_harmonic:
        conf.setdefault("distill_conf", MAGNITUDE_ONLY)
    conf |= read_conf(layout.vocoder_preset)
    conf |= {"teacher_dump": str(layout.waves_dir)}
    if layout.is_latent:
        _link_speech(layout)
    else:
        conf["text2mel"] = str(student)
    path = layout.vocoder_exp / "train.yaml"
    write_conf(path, conf)
    return path


def _link_speech(layout: Layout) -> None:
    """Make a dump of latents of the speech of the training and validation sets."""
    layout.waves_dir.mkdir(parents=True, exist_ok=True)
    for split, name in zip(("train", "valid"), layout.dumped_sets):
        link = layout.waves_dir / split
        link.unlink(missing_ok=True)
        link.symlink_to((layout.speech_dir / name).resolve())


def write_pair(layout: Layout) -> str:
    """Write ``<student>_pair``, the student's experiment with the small vocoder."""
    model = student_model(layout)
    pair = model.parent.with_name(f"{model.parent.name}_pair")
    pair.mkdir(exist_ok=True)
    shutil.copy(model.with_name("config.yaml"), pair)
    link = pair / "model.pth"
    link.unlink(missing_ok=True)
    os.symlink(model.resolve(), link)
    write_text(pair / "vocoder_file", f"{layout.vocoder_model}\n")
    return ""
