"""`espnet-distill check`: find what would stop a training before it starts."""

import argparse
import contextlib
import io
import warnings
from pathlib import Path

from espnet_distill.errors import ConfigError


def check(train_config: Path, espnet_options: list[str], vocoder_file=None) -> str:
    """Build student, teachers, objectives and callbacks, and describe them in a line.

    Args:
        train_config: The training configuration of the student.
        espnet_options: What `espnet2.bin.tts_train` would be given besides, such as
            `--token_list`. Without one, the first teacher's tokens are taken.
        vocoder_file: A vocoder that is to fit the student's mels.

    Raises:
        ConfigError: Whatever would not work, named with the remedy.
    """
    _check_without_espnet(train_config)
    from espnet_distill.tasks.options import DistillOptions
    from espnet_distill.pruning.base import Training
    from espnet_distill.tasks.text2mel import (
        DistillTTSTask,
        callbacks_for,
        require_own_trainer,
        require_read,
        with_teachers,
    )
    from espnet_distill.teachers.checkpoint import find_experiment, read_config
    from espnet_distill.vocoders import check_vocoder

    args = _parse(DistillTTSTask, train_config, espnet_options)
    wanted = DistillOptions.of(args)
    if wanted.is_stock:
        raise ConfigError(
            f"{train_config}: no key `teacher` or `callbacks`, so the plugin has "
            "nothing to do"
        )
    require_read(args)
    require_own_trainer(args, wanted)
    DistillTTSTask.check_teachers(args, wanted)
    if vocoder_file is not None:
        check_vocoder(vocoder_file, args.feats_extract_conf)

    if args.token_list is None:
        if not wanted.teachers:
            raise ConfigError("token_list: needed without a teacher; add --token_list")
        config, _ = find_experiment(wanted.teachers[0])
        args.token_list = read_config(config)["token_list"]
    args.normalize = args.pitch_normalize = args.energy_normalize = None
    args.teacher, args.callbacks = [], []  # the stock model
    model = DistillTTSTask.build_model(args)
    found = f"student ({_millions(model.tts)} M)"
    if wanted.teachers:
        wanted.dump = None  # it is made later
        model = with_teachers(model, wanted)
        found = _describe(model.lessons, found)
    callbacks = callbacks_for(wanted, args.tts_conf)
    callbacks.attach(model)
    callbacks.on_train_start(Training(model, epochs=args.max_epoch))
    types = ", ".join(conf["type"] for conf in wanted.callbacks)
    return f"{found} with {types}" if types else found


def _describe(lessons, student: str) -> str:
    teachers = [lesson.teacher for lesson in lessons]
    sizes = ", ".join(
        f"{item.checkpoint} ({_millions(item.model.tts)} M)" for item in teachers
    )
    labels = ", ".join(objective.label for objective in lessons[0].objectives)
    return f"{sizes} -> {student} by {labels}"


def _millions(module) -> str:
    return f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f}"


def _check_without_espnet(train_config: Path) -> None:
    """Find what needs no ESPnet first: its import takes 8 seconds."""
    from espnet_distill.tasks.options import DistillOptions
    from espnet_distill.teachers.checkpoint import find_experiment, read_config

    conf = read_config(train_config)
    for teacher in DistillOptions.of(argparse.Namespace(**conf)).teachers:
        find_experiment(teacher)


@contextlib.contextmanager
def _quietly():
    """Keep the chatter of ESPnet and what it imports (NLTK, pyworld) to itself."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _parse(task, train_config: Path, espnet_options: list[str]) -> argparse.Namespace:
    parser = task.get_parser()

    def refuse(message):
        raise ConfigError(f"{train_config}: {message}")

    parser.error = refuse
    return parser.parse_args(
        ["--config", str(train_config), "--output_dir", ".", *espnet_options]
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [-h] [--vocoder_file FILE] train.yaml [ESPnet options]"
    parser.add_argument("--vocoder_file", help="a vocoder that is to fit the student")
    parser.add_argument("train_config", metavar="train.yaml", type=Path)
    parser.add_argument(
        "espnet_options",
        nargs=argparse.REMAINDER,
        help="what espnet2.bin.tts_train would get besides, e.g. --token_list FILE",
    )


def main(args) -> None:
    with _quietly():
        found = check(args.train_config, args.espnet_options, args.vocoder_file)
    print(found)
