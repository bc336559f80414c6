"""``espnet-distill recipe-step``: the steps of distill.sh that are computed in Python."""

import argparse
from importlib import import_module
from pathlib import Path

from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.run_options import add_options, parse_options

# Step: function of the layout, which returns the text to print.
STEPS = {
    "plan": "recipes.shell_variables.plan_variables",
    "finish-data": "recipes.finish_data.finish_data",
    "select-utterances": "recipes.shell_variables.select_utterances",
    "write-text-set": "recipes.pseudo_label_sets.write_text_set",
    "add-pseudo-labels": "recipes.pseudo_label_sets.add_pseudo_labels",
    "finish-statistics": "recipes.finish_data.finish_statistics",
    "training-data": "recipes.shell_variables.training_data_variables",
    "configure-student": "tasks.checks.recipe.configure_student",
    "check-student": "tasks.checks.recipe.check_student",
    "check-evaluation": "tasks.checks.recipe.check_evaluation",
    "begin-student": "recipes.student_training.begin_student",
    "init-student": "recipes.student_training.init_student",
    "compact-student": "recipes.student_training.compact_student",
    "synthesis-key": "recipes.keys.synthesis_key",
    "configure-vocoder": "tasks.checks.recipe.configure_vocoder",
    "write-pair": "recipes.vocoder_training.write_pair",
    "export-voice": "bin.export_voice.export_voice",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the step and the options of distill.sh."""
    add = parser.add_argument
    add("step", choices=STEPS, metavar="STEP", help=", ".join(STEPS))
    add("--checkpoint", type=Path, metavar="PTH", help="a model, for synthesis-key")
    add_options(parser)


def main(args: argparse.Namespace) -> None:
    """Run a step and print its report, or its variables for the shell."""
    module, _, function = STEPS[args.step].rpartition(".")
    run = getattr(import_module(f"espnet_distill.{module}"), function)
    checkpoint = [args.checkpoint] if args.step == "synthesis-key" else []
    report = run(Layout(parse_options(args)), *checkpoint)
    print(report, end="")
