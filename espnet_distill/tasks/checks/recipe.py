"""Write and check the training configurations of a run of distill.sh."""

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import asr, wer
from espnet_distill.evaluation.metrics.registry import require_metric
from espnet_distill.recipes.front_end import front_end_of_run
from espnet_distill.recipes.latent_targets import count_channels
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.student_training import (
    student_model,
    training_options,
    write_distill_config,
    write_student_config,
)
from espnet_distill.recipes.vocoder_training import write_vocoder_config
from espnet_distill.tasks.checks.check import check
from espnet_distill.utils.quiet import stderr_suppressed

UNCOMPARED = ("--init_param",)  # none: the last option counts


def configure_student(layout: Layout) -> str:
    """Write the student's configurations; check them, unless its teacher is to be trained.

    Returns:
        The report of the check, if there was one.
    """
    options = layout.options
    write_student_config(layout)
    write_distill_config(layout)
    is_teacher_trained = not options.train_teacher or options.stage > 4
    if options.stop_stage >= 5 and is_teacher_trained:
        return check_student(layout)
    return ""


def check_student(layout: Layout) -> str:
    """Check the student's training configuration; return the report of the check.

    The number of latents, and so the size of their student, is found in stage 3; before
    it, given initial weights are not compared.
    """
    words, vocoder = training_options(layout), layout.options.vocoder_file
    if layout.is_latent:
        channels, vocoder = count_channels(layout), None
        words += (
            ["--odim", str(channels)] if channels else ["--odim", "80", *UNCOMPARED]
        )
    with stderr_suppressed():
        report = check(layout.distill_config, words, vocoder, planned=True)
    return "" if layout.is_latent else f"{report}\n"


def check_evaluation(layout: Layout) -> str:
    """Require the language of the test set and its recognizer, if WER is measured."""
    options = layout.options
    try:
        require_metric("wer")
    except ConfigError:  # `evaluate` reports it and measures the rest
        return ""
    data = layout.raw(options.test_sets.split()[0])
    language = front_end_of_run(options, data).language
    asr.require_known(language)
    asr.check_model(None, language)
    wer.require_readings(language)
    return ""


def configure_vocoder(layout: Layout) -> str:
    """Write the vocoder's training configuration; return the report of its check.

    A vocoder of latents, whose dump stage 10 completes, is checked as it is trained.
    """
    config = write_vocoder_config(layout, student_model(layout).parent)
    if layout.is_latent:
        return ""
    with stderr_suppressed():
        report = check(config, layout.options.vocoder_args.split(), planned=True)
    return f"{report}\n"
