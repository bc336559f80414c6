"""The last stage of distill.sh: the student and its vocoder as a voice."""

import shutil
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.ids import SPEAKERS
from espnet_distill.onnx_export.export import export
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.student_training import student_model


def export_voice(layout: Layout) -> str:
    """Export the student to ``<student>_voice``, and replace an earlier voice.

    Returns:
        The report of the export, or why there is no voice: distillation serves models,
        vocoders and front ends that no client has, too.
    """
    options, model = layout.options, student_model(layout)
    folder = model.parent.with_name(f"{model.parent.name}_voice")
    evaluation = Path(options.evaldir + ("_pair" if options.vocoder_preset else ""))
    shutil.rmtree(folder, ignore_errors=True)
    try:
        voice = export(
            model,
            folder,
            vocoder=layout.vocoder_model
            if options.vocoder_preset
            else options.vocoder_file,
            data=layout.raw(layout.test_sets[0]),
            evaluation=evaluation if evaluation.is_dir() else None,
            speakers=_speaker_ids(layout),
        )
    except ConfigError as error:
        return f"No voice: {error}\n"
    return (
        f"{voice.report()}\n"
        f'Try it: espnet-distill synthesize {folder} "TEXT" --out hello.wav\n'
    )


def _speaker_ids(layout: Layout) -> Path | None:
    """Return the names and ids of the student's speakers; None of one speaker."""
    options = layout.options
    table = layout.raw(f"org/{options.train_set}") / SPEAKERS.table
    is_named = options.has_tts_flag(SPEAKERS.option) and not options.speaker
    return table if is_named and table.is_file() else None
