"""The training configuration of a run's student, its initial weights, its compaction."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import STATISTICS, statistics_name
from espnet_distill.experiments.ids import without_speakers
from espnet_distill.experiments.text_to_wave import text2mel_class
from espnet_distill.recipes.keys import (
    compaction_key,
    is_made,
    is_of_others,
    mark_made,
    statistics_key,
    warm_start_key,
)
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.teacher_settings import FEATURES, PITCH
from espnet_distill.recipes.trained import conditions_of
from espnet_distill.utils.config_values import as_list, as_mapping
from espnet_distill.utils.files import read_yaml, write_text

DISTILL_KEYS = ("distill_conf", "teacher", "teacher_dump")


def read_conf(path: str | Path) -> dict:
    """Return a configuration, which may be empty.

    Raises:
        ConfigError: The file cannot be read, or has no keys.
    """
    return as_mapping(read_yaml(Path(path)) or {}, str(path))


def write_conf(path: Path, conf: Mapping) -> None:
    """Write a configuration."""
    write_text(path, yaml.safe_dump(dict(conf), sort_keys=False, allow_unicode=True))


def read_student_conf(layout: Layout) -> dict:
    """Return the given configuration of the student, with the model of its preset."""
    conf = read_conf(layout.options.student_config)
    return conf | read_conf(layout.preset) if layout.options.student else conf


def write_student_config(layout: Layout) -> None:
    """Write the stock part of the student's training configuration.

    Raises:
        ConfigError: With ``warm_start``, the student is of another class than the
            teacher.
    """
    options = layout.options
    conf = read_student_conf(layout)
    _set_conditions(layout, conf)
    write_conf(layout.student_config, conf)
    if not options.warm_start:
        return
    student, teacher = (
        read_conf(path) for path in (layout.student_config, layout.teacher_config)
    )
    tts, weights = student.get("tts"), text2mel_class(teacher)
    if tts != weights:
        is_part = weights not in (None, teacher.get("tts"))
        raise ConfigError(
            f"--warm_start true: the student is {tts}, its teacher {teacher.get('tts')}"
            + f", whose text-to-mel part is {weights}" * is_part
        )


def _set_conditions(layout: Layout, conf: dict) -> None:
    """Give a preset the teacher's speakers and languages; one speaker takes no inputs."""
    options, tts_conf = layout.options, conf.get("tts_conf") or {}
    if options.student:
        tts_conf = conditions_of(read_conf(layout.teacher_config)) | tts_conf
    if options.speaker:
        tts_conf = without_speakers(tts_conf)
    if tts_conf != (conf.get("tts_conf") or {}):
        conf["tts_conf"] = tts_conf


def write_distill_config(layout: Layout) -> Path:
    """Write the student's training configuration; return its path."""
    options, conf = layout.options, read_conf(layout.student_config)
    if options.warm_start:
        conf["init_param"] = [f"{layout.student_exp}/warm_start/init.pth:tts:tts"]
    if options.text_encoder_weight:
        conf |= _text_encoder_keys(layout)
    elif options.distill and not layout.is_synthesized:
        conf |= _distill_keys(layout)
    else:
        conf = {key: value for key, value in conf.items() if key not in DISTILL_KEYS}
    write_conf(layout.distill_config, conf)
    return layout.distill_config


def _distill_keys(layout: Layout) -> dict:
    """Return the keys of the plugin: objectives, teachers, dump."""
    options = layout.options
    keys = read_conf(options.objectives_config) if options.objectives_config else {}
    keys["teacher"] = [str(layout.teacher_model), *options.more_teachers.split()]
    if options.teacher_dump:
        keys["teacher_dump"] = str(layout.dump_dir)
    return keys


def _text_encoder_keys(layout: Layout) -> dict:
    """Return the keys of the plugin for the text encoder of a VITS or JETS."""
    weight = layout.options.text_encoder_weight
    objective = {"type": "hidden", "tap": "encoder", "weight": weight}
    teacher = [str(layout.given_teacher)]
    return {"teacher": teacher, "distill_conf": {"objectives": [objective]}}


def training_options(layout: Layout) -> list[str]:
    """Return the options that tts.sh passes to the student's training."""
    options = layout.options
    words = []
    if layout.token_list.exists():
        words += ["--token_list", str(layout.token_list)]
    if layout.bpemodel and layout.bpemodel.exists():
        words += ["--token_type", "bpe", *layout.front_end.split()]
    for name in ("g2p", "cleaner"):
        words += [f"--{name}", getattr(options, name)]
    for name, key in FEATURES.items():
        words += ["--feats_extract_conf", f"{key}={getattr(options, name)}"]
    for name in PITCH:
        words += ["--pitch_extract_conf", f"{name}={getattr(options, name)}"]
    return words + options.student_args.split()


def begin_student(layout: Layout) -> str:
    """Record the data of the student's training.

    Raises:
        ConfigError: The training was begun with other data.
    """
    experiment, key = layout.student_exp, statistics_key(layout)
    is_begun = (experiment / "checkpoint.pth").exists()
    if is_begun and is_of_others(experiment, key):
        raise ConfigError(
            f"{experiment}: was begun with other data; name another --student_tag, or "
            "remove the folder"
        )
    mark_made(experiment, key)
    return ""


def init_student(layout: Layout) -> str:
    """Derive the student's initial weights; a resumed training keeps its own.

    Returns:
        The report of the derivation, if there was one.

    Raises:
        ConfigError: The training began with weights of another teacher, or with a
            student of another size.
    """
    from espnet_distill.students.derive import derive, describe

    result, key = layout.student_exp / "warm_start", warm_start_key(layout)
    if (layout.student_exp / "checkpoint.pth").exists():
        if is_of_others(result, key):
            raise ConfigError(
                f"{layout.student_exp}: was begun with weights of another teacher or "
                "of a student of another size; name another --student_tag"
            )
        return ""
    shutil.rmtree(result, ignore_errors=True)
    is_folded = layout.teacher_model == layout.folded_teacher
    student = derive(
        layout.teacher_model,
        student_config=layout.student_config,
        speaker=None if is_folded else layout.options.speaker or None,
    )
    student.save(result)
    mark_made(result, key)
    return f"{describe(student)}\n"


def is_pruned(layout: Layout) -> bool:
    """Return True if the student's training has pruning callbacks."""
    options = layout.options
    if options.stage > 6:
        sources = [layout.distill_config]
    else:  # the run writes it from these
        sources = [options.student_config, options.objectives_config or "."]
    found = (
        as_list(read_conf(path).get("callbacks") or [], f"{path}: callbacks")
        for path in map(Path, sources)
        if path.is_file()
    )
    return any(
        isinstance(callback, dict) and callback.get("type") == "prune"
        for callbacks in found
        for callback in callbacks
    )


def student_model(layout: Layout) -> Path:
    """Return the checkpoint of the student that is synthesized with.

    The compacted one of a pruned student, once its training has begun; ``model.pth`` of
    an experiment that `prune`, `compact` or `derive` wrote and no training.
    """
    if layout.options.stop_stage >= 6 and is_pruned(layout):
        return layout.compact_exp / "model.pth"
    trained = layout.student_exp / layout.options.inference_model
    written = layout.student_exp / "model.pth"
    is_written = layout.options.stage > 6 and not trained.exists() and written.exists()
    return written if is_written else trained


def compact_student(layout: Layout) -> str:
    """Remove the pruned units of a student, unless this was done before.

    Returns:
        A report.
    """
    from espnet_distill.pruning.post_training.compact import compact
    from espnet_distill.pruning.post_training.comparison import compare

    checkpoint = layout.student_exp / layout.options.inference_model
    result = layout.compact_exp
    if not checkpoint.exists() and (result / "model.pth").exists():
        return ""
    key = compaction_key(layout, checkpoint)
    if is_made(result, key):
        return f"Up to date: {result}\n"
    shutil.rmtree(result, ignore_errors=True)
    pruned = compact(checkpoint)
    report = compare(pruned, folder=result)
    pruned.save(result)
    _name_relative_files(layout, result / "config.yaml")
    if (images := checkpoint.parent / "images").is_dir():  # with use_matplotlib
        shutil.copytree(images, result / "images")
    mark_made(result, key)
    return f"Compacting {checkpoint} -> {result}\n{report}\n"


def _name_relative_files(layout: Layout, config: Path) -> None:
    """Name statistics and front end by relative paths, as the recipe's experiments do."""
    conf = read_yaml(config)
    for key, kind in STATISTICS.items():
        if (conf.get(key) or {}).get("stats_file"):
            path = layout.stats_dir / "train" / statistics_name(kind)
            conf[key]["stats_file"] = str(path)
    if layout.bpemodel:
        conf["bpemodel"] = str(layout.bpemodel)
    write_text(config, yaml.safe_dump(conf, sort_keys=False, allow_unicode=True))
