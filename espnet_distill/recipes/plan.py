"""Validate the options of a run of distill.sh, and complete them."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from espnet_distill.data.check_text import recorded_ids, require_new_text
from espnet_distill.data.front_end import default_cleaner, require_front_end
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import AUTOREGRESSIVE
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.ids import speaker_inputs, takes
from espnet_distill.experiments.text_to_wave import WITH_DECODER, text2mel_class
from espnet_distill.experiments.unpack import unpack
from espnet_distill.recipes.front_end import front_end_of_run
from espnet_distill.recipes.keys import require_same_statistics
from espnet_distill.recipes.latent_targets import LATENTS, MARKER, require_several
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.one_speaker import (
    fold_teacher,
    require_speaker_data,
    require_speaker_options,
    select_speaker,
)
from espnet_distill.recipes.pseudo_label_sets import (
    prepared_text,
    require_text_speakers,
    speakers_of_text,
)
from espnet_distill.recipes.run_options import RunOptions
from espnet_distill.recipes.sentencepieces import copy_bpemodel
from espnet_distill.recipes.shell_values import require_plain
from espnet_distill.recipes.student_training import read_conf, read_student_conf
from espnet_distill.recipes.teacher_settings import OPTIONS, require_settings
from espnet_distill.recipes.vocoder_training import (
    require_vocoder_options,
    require_vocoder_targets,
)
from espnet_distill.utils.config_values import as_number, as_whole
from espnet_distill.utils.espnet_root import SORT_EMBEDDINGS
from espnet_distill.utils.files import read_table, read_text

# Settings of a teacher that is trained here.
DEFAULTS = {
    "fs": "22050",
    "n_fft": "1024",
    "n_shift": "256",
    "win_length": "null",
    "n_mels": "80",
    "fmin": "80",
    "fmax": "7600",
    "f0min": "80",
    "f0max": "400",
    "token_type": "phn",
    "g2p": "espeak_ng_english_us_vits",
}

POSITIVE = "nj inference_nj num_threads nbpe align_steps dump_batch_size".split()

LEAST_ZERO = (
    "ngpu max_unaligned noise_scale noise_scale_dur text_encoder_weight".split()
)

# Key of tts_conf → option of tts.sh, file of the ids in a data folder.
CONDITIONS = {
    "spks": ("use_sid", "utt2sid"),
    "langs": ("use_lid", "utt2lid"),
    "spk_embed_dim": ("use_spk_embed", None),
}


def plan(options: RunOptions) -> Layout:
    """Validate a run's options and inputs; return the layout of the completed options.

    The teacher is unpacked below ``expdir``, if it is an archive or a tag, and its
    sentencepiece model is copied, if stage 1 is not run. Its settings replace empty
    options.

    Raises:
        ConfigError: An option or an input cannot work.
    """
    _require_numbers(options)
    _require_student_options(options)
    _require_speech_script(options)
    require_speaker_options(options)
    require_vocoder_options(options)
    _require_pseudo_label_text(options)
    check_texts(options)
    _require_durations_from(options)
    layout = Layout(_with_settings(_with_teacher(options)))
    require_vocoder_targets(layout)
    _require_bpemodel(layout)
    if layout.is_synthesized:
        _require_synthesis(layout)
    _require_student_features(layout)
    if options.text_encoder_weight:
        _require_text_encoder(layout)
    if options.speaker:
        if options.stage > 1:
            require_speaker_data(layout)
        if layout.is_synthesized:
            speaker_inputs(Experiment(layout.given_teacher), options.speaker)
        else:
            fold_teacher(layout)
    _require_conditions(layout)
    if options.stage > 1:
        require_ids(layout)
        require_several(layout)
        require_text_speakers(layout)
    if options.stage > (1 if layout.is_synthesized else 2):
        select_speaker(layout)
    if layout.is_synthesized and 2 < options.stage <= 6:
        _require_synthesized(layout)
    if options.stage > 3:
        _require_same_text(layout)
        require_same_statistics(layout)
    return layout


def _require_numbers(options: RunOptions) -> None:
    """Raise a ConfigError for a number that a later stage could not use."""
    for name in POSITIVE:
        as_whole(getattr(options, name), f"--{name}", least=1)
    for name in LEAST_ZERO:
        as_number(getattr(options, name), f"--{name}", least=0)
    if options.least_focus_rate:
        value = _number("least_focus_rate", options.least_focus_rate)
        as_number(value, "--least_focus_rate", least=0)


def _require_student_options(options: RunOptions) -> None:
    for name in ("student_config", "objectives_config"):
        _require_file(name, getattr(options, name))
    if options.student:
        preset = Layout(options).preset
        if not preset.is_file():
            raise ConfigError(
                f"--student: {preset.parent}: no such preset: {options.student}"
            )
        if "tts" in read_conf(options.student_config):
            raise ConfigError(
                f"--student {options.student}: {options.student_config} names a model "
                "of its own (tts)"
            )


def _require_speech_script(options: RunOptions) -> None:
    script = options.speech_script
    if not script:
        return
    _require_file("speech_script", require_plain(script, "--speech_script"))
    if not os.access(script, os.X_OK):
        raise ConfigError(f"--speech_script {script}: cannot be run; chmod +x {script}")
    for name in ("train_teacher", "warm_start"):
        if getattr(options, name):
            raise ConfigError(
                f"--{name} true: not supported with --speech_script; set it to false"
            )
    if options.speaker:
        raise ConfigError("--speaker: not supported with --speech_script; leave it out")


def _require_file(name: str, path: str) -> None:
    if path and not Path(path).is_file():
        raise ConfigError(f"--{name} {path}: no such file")


def _require_pseudo_label_text(options: RunOptions) -> None:
    text = options.pseudo_label_text
    if not text:
        return
    _require_file("pseudo_label_text", text)
    if options.train_teacher:
        raise ConfigError("--pseudo_label_text: requires a trained --teacher")
    if options.has_tts_flag("use_lid"):
        raise ConfigError("--pseudo_label_text: one language only")
    if Path(text).name in options.sets:
        raise ConfigError(f"--pseudo_label_text {text}: a set has its name; rename it")


def check_texts(options: RunOptions) -> None:
    """Check the ids of recorded utterances, and the text before its synthesis."""
    layout = Layout(options)
    texts = (layout.raw(name) / "text" for name in options.sets)
    recorded = recorded_ids(path for path in texts if path.exists())
    if options.pseudo_label_text:
        require_new_text(Path(options.pseudo_label_text), recorded)


def _require_durations_from(options: RunOptions) -> None:
    source = options.durations_from
    if source not in ("aligner", "teacher"):
        raise ConfigError(f"--durations_from {source}: is neither aligner nor teacher")
    if source == "teacher" and options.train_teacher:
        raise ConfigError("--durations_from teacher: requires a trained --teacher")


def _require_synthesis(layout: Layout) -> None:
    """Raise a ConfigError for options that a teacher of waveforms does not allow."""
    options = layout.options
    if options.more_teachers:
        raise ConfigError(
            f"--more_teachers {options.more_teachers}: {options.teacher} synthesizes the "
            "speech that the student is trained on, alone; leave it out"
        )
    if options.warm_start:
        _require_text2mel_part(layout)
    _require_whole_frames(layout)


def _require_whole_frames(layout: Layout) -> None:
    """Raise a ConfigError if steps of the student have more than one frame.

    The durations of a speech script count the student's steps; a teacher's count frames.
    """
    options, conf = layout.options, read_student_conf(layout)
    factor = (conf.get("tts_conf") or {}).get("reduction_factor", 1)
    takes_durations = conf.get("tts") not in AUTOREGRESSIVE
    if factor != 1 and takes_durations and not options.speech_script:
        raise ConfigError(
            f"{options.student_config}: tts_conf.reduction_factor: {factor}: the "
            f"durations of {options.teacher} count single frames; set it to 1"
        )


def _require_synthesized(layout: Layout) -> None:
    """Raise a ConfigError if stage 2 has not synthesized the training's data."""
    for data in map(layout.raw, layout.aligned_sets):
        if not (data / "text").is_file():
            raise ConfigError(f"{data}: no such data folder; run stage 2")


def _require_text2mel_part(layout: Layout) -> None:
    """Raise a ConfigError unless a student can begin with the teacher's weights."""
    options, conf = layout.options, read_conf(layout.teacher_config)
    if text2mel_class(conf) is None:
        raise ConfigError(
            f"--warm_start true: {options.teacher} has no text-to-mel part, from whose "
            "weights a student could begin; set it to false"
        )
    own = (conf.get("feats_extract_conf") or {}).get("n_mels", DEFAULTS["n_mels"])
    if str(own) != options.n_mels:
        raise ConfigError(
            f"--n_mels {options.n_mels}: --warm_start true takes the {own} of "
            f"{options.teacher}; leave --n_mels out"
        )


def _require_student_features(layout: Layout) -> None:
    """Raise a ConfigError for options that a student of latents does not allow."""
    options = layout.options
    where = f"--student_features {options.student_features}"
    if options.student_features == "mel":
        return
    if not layout.is_latent:
        raise ConfigError(f"{where}: is neither mel nor latents")
    if not options.speech_script:
        _require_latents(layout, where)
    if not options.vocoder_preset:
        raise ConfigError(f"{where}: requires --vocoder_preset; name one")
    if options.vocoder_speech:
        raise ConfigError(f"--vocoder_speech: not supported with {where}; leave it out")
    for name in ("teacher_stats", "warm_start"):
        if getattr(options, name):
            raise ConfigError(
                f"--{name} true: not supported with {where}; set it to false"
            )
    stages = dict.fromkeys(layout.dumped_sets, 2)
    stages |= {layout.text_set: 3} if layout.text_set else {}
    for name, stage in stages.items():
        speech = layout.speech_dir / name
        if options.stage > stage and not (speech / LATENTS).is_file():
            raise ConfigError(f"{where}: {speech}: has no {LATENTS}; run stage {stage}")
    if 3 < options.stage <= 6:
        for folder in (layout.align_dir / name for name in layout.training_sets):
            if not (folder / MARKER).is_file():
                raise ConfigError(f"{where}: {folder}: has no features; run stage 3")


def _require_text_encoder(layout: Layout) -> None:
    """Raise a ConfigError unless the teacher has a text encoder to compare with."""
    options = layout.options
    conf = _given_conf(layout)
    if options.speech_script or conf.get("tts") not in WITH_DECODER:
        raise ConfigError(
            f"--text_encoder_weight {options.text_encoder_weight:g}: is for a --teacher "
            f"of {', '.join(WITH_DECODER)}; leave it out"
        )


def _require_latents(layout: Layout, where: str) -> None:
    """Raise a ConfigError unless the teacher has latents."""
    if _given_conf(layout).get("tts") not in WITH_DECODER:
        raise ConfigError(
            f"{where}: the teacher has no waveform decoder whose input a student could "
            f"predict; name one of {', '.join(WITH_DECODER)}"
        )


def _given_conf(layout: Layout) -> dict:
    """Return the configuration of a given teacher; {} of one that is trained here."""
    return {} if layout.options.train_teacher else read_conf(layout.teacher_config)


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise ConfigError(f"--{name} {value}: is no number") from error


def _with_teacher(options: RunOptions) -> RunOptions:
    """Return the options with a given teacher replaced by its checkpoint."""
    if options.train_teacher:
        _require_file("teacher_config", options.teacher_config)
        return options
    teacher = options.teacher
    if not teacher:
        raise ConfigError("name a --teacher, or train one: --train_teacher true")
    is_experiment = Path(teacher).exists() and Path(teacher).suffix != ".zip"
    if not is_experiment or " " in teacher:
        teacher = unpack(teacher, Path(options.expdir, "pretrained")).checkpoint
    model = require_plain(str(Experiment(teacher).checkpoint), "checkpoint")
    if " " in model:
        raise ConfigError(
            f"--teacher {teacher}: {model} has a space, which tts.sh cannot take; "
            "rename it"
        )
    return replace(options, teacher=model)


def _with_settings(options: RunOptions) -> RunOptions:
    """Return the options with the settings of a given teacher, and the defaults."""
    given = {name: getattr(options, name) for name in OPTIONS if getattr(options, name)}
    if not options.train_teacher:
        given = require_settings(given, options.teacher) | given
    settings = DEFAULTS | given
    front_end = settings["token_type"], settings["g2p"]
    settings.setdefault("cleaner", default_cleaner(*front_end, options.language))
    completed = replace(options, **settings)
    # tts.sh passes the g2p on whatever the tokens are.
    require_front_end(replace(front_end_of_run(completed), g2p=completed.g2p))
    return completed


def _require_bpemodel(layout: Layout) -> None:
    options = layout.options
    given, model = options.bpemodel, layout.bpemodel
    if model is None:
        if given:
            raise ConfigError(
                f"--bpemodel {given}: requires --token_type bpe, got {options.token_type}"
            )
        return
    if given and options.train_teacher:
        for path in (Path(given), Path(given).with_suffix(".vocab")):
            if not path.is_file():
                raise ConfigError(
                    f"--bpemodel {given}: no {path}; spm_train writes both"
                )
    if options.stage > 1 and not model.exists():
        if not given:
            raise ConfigError(f"{model}: no such file; run stage 1")
        copy_bpemodel(given, model)


def _require_conditions(layout: Layout) -> None:
    """Require the ids and embeddings that the models of student and teacher use."""
    options = layout.options
    for config in _configs_of(layout):
        conf = read_conf(config)
        for key, (flag, _) in CONDITIONS.items():
            is_taken = any(takes(key, size) for size in _values(conf, key))
            if is_taken and not options.has_tts_flag(flag):
                raise ConfigError(
                    f'{config}: tts_conf.{key}: requires --tts_opts "--{flag} true"'
                )
    for flag, name in CONDITIONS.values():
        if name is None or options.stage < 2 or not options.has_tts_flag(flag):
            continue
        for path in (layout.raw(dataset) / name for dataset in options.sets):
            if not path.exists():
                raise ConfigError(
                    f"{path}: no such file; --{flag} true makes it in stage 1"
                )
    script = Path(SORT_EMBEDDINGS)
    if options.stage == 1 and options.has_tts_flag("use_spk_embed"):
        if script.is_file() and not os.access(script, os.X_OK):
            raise ConfigError(f"{script}: cannot be run; chmod +x {script.resolve()}")
    if not options.speaker and not options.student:
        _require_same_conditions(layout)


def _require_same_conditions(layout: Layout) -> None:
    """Raise a ConfigError if the teacher takes speakers, and the student does not."""
    options = layout.options
    student, teacher = (
        read_conf(options.student_config),
        read_conf(layout.teacher_config),
    )
    for key in CONDITIONS:
        size = max(_values(teacher, key), default=0)
        if size > 1 and not max(_values(student, key), default=0):
            remedy = f"set {key} there"
            if key != "langs":
                remedy += ", or name one --speaker"
            raise ConfigError(
                f"{options.student_config}: tts_conf.{key}: the teacher has {size}, the "
                f"student none; {remedy}"
            )


def _configs_of(layout: Layout) -> list[str | Path]:
    """Return the configurations whose models take ids; a student of one speaker not."""
    student = [] if layout.options.speaker else [layout.options.student_config]
    return [*student, layout.teacher_config]


def _values(conf, key: str) -> Iterator[int]:
    """Yield the whole numbers of a key anywhere in a configuration."""
    if isinstance(conf, dict):
        if isinstance(conf.get(key), int):
            yield conf[key]
        for value in conf.values():
            yield from _values(value, key)


def require_ids(layout: Layout) -> None:
    """Raise a ConfigError if a model has too few embeddings for the data's ids.

    Tables of ids that the run does not use, another run's in this recipe, may be there.
    """
    options = layout.options
    for config in _configs_of(layout):
        conf = read_conf(config)
        for key, (flag, name) in CONDITIONS.items():
            table = layout.raw(options.train_set) / name if name else None
            if table is None or not options.has_tts_flag(flag) or not table.exists():
                continue
            largest = _largest_id(table)
            for size in _values(conf, key):
                if size <= largest:
                    raise ConfigError(
                        f"{config}: tts_conf.{key}: {size} has no room for id "
                        f"{largest} of {table}"
                    )


def _largest_id(table: Path) -> int:
    values = read_table(table).values()
    wrong = [value for value in values if not value.isdecimal()]
    if wrong:
        raise ConfigError(f"{table}: {wrong[0]!r} is no id; run stage 1 again")
    return max(map(int, values), default=0)


def _require_same_text(layout: Layout) -> None:
    """Raise a ConfigError if stage 3 has synthesized another text."""
    options = layout.options
    if not layout.text_set or options.stop_stage < 3:
        return
    text, used = Path(options.pseudo_label_text), layout.raw(layout.text_set) / "text"
    if not used.is_file() or prepared_text(layout) != read_text(used):
        raise ConfigError(
            f"--pseudo_label_text {text}: differs from the text that stage 3 "
            f"synthesized as {layout.text_set}; run it, or rename the file"
        )
    speakers = read_table(layout.raw(layout.text_set) / "utt2spk")
    if speakers_of_text(layout, list(speakers)) != speakers:
        raise ConfigError(
            f"--pseudo_label_text {text}: has other speakers than those that stage 3 "
            f"synthesized as {layout.text_set}; run it, or rename the file"
        )
