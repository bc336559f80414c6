"""The variables of distill.sh that Python computes."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from espnet_distill.recipes.finish_data import select_subsets
from espnet_distill.recipes.latent_targets import appends_condition
from espnet_distill.recipes.layout import Layout
from espnet_distill.recipes.one_speaker import select_speaker
from espnet_distill.recipes.plan import plan
from espnet_distill.recipes.shell_values import require_plain
from espnet_distill.recipes.student_training import read_student_conf, student_model
from espnet_distill.recipes.teacher_settings import FEATURES, PITCH, TEXT

SETTINGS = (*FEATURES, *PITCH, *TEXT)
TRAINING_DATA = ("training_set", "validation_set", "train_data", "valid_data")
SPEECH_DATA = ("train_texts", "valid_texts", "more_texts")
ALLOWED = frozenset(
    (
        *(*SETTINGS, "bpemodel", "teacher", "stats_dir", "dump_dir", "inference_tag"),
        *(
            "evaldir",
            "speech_sets",
            "eval_set",
            "front_end",
            "token_list",
            "align_dir",
            "text_set",
        ),
        *("teacher_exp", "teacher_model", "student_exp", "student_train"),
        *("distill_config", "student_model", "vocoder_exp", "waves_dir"),
        *("train_waves", "valid_waves", "wave_options", "tts_options"),
        *("align_options", "bpe_options", "progress_folders", *TRAINING_DATA),
        *("distill", "is_synthesized", "is_latent", "speech_dir"),
        *("duration_shift", "extracts_features", *SPEECH_DATA),
    )
)


def assignments(variables: Mapping[str, str | Path | list]) -> str:
    """Return variables as assignments for a shell; a list becomes an array.

    Raises:
        ConfigError: A value has special characters of a shell.
    """
    lines = []
    for name, value in variables.items():
        if name not in ALLOWED:
            raise KeyError(name)
        if isinstance(value, list):
            words = [_quote(name, word) for word in value]
            lines.append(f"{name}=({' '.join(words)})\n")
        else:
            lines.append(f"{name}={_quote(name, value)}\n")
    return "".join(lines)


def _quote(name: str, value: str | Path) -> str:
    return shlex.quote(require_plain(str(value), name))


def plan_variables(layout: Layout) -> str:
    """Validate and complete the options of a run; return its variables."""
    return assignments(_variables_of(plan(layout.options)))


def select_utterances(layout: Layout) -> str:
    """Write the subsets of utterances with durations; return the training's variables."""
    select_subsets(layout)
    if not layout.is_synthesized:  # otherwise the speaker's texts were synthesized
        select_speaker(layout)
    return training_data_variables(layout)


def training_data_variables(layout: Layout) -> str:
    """Return the variables of the training's sets and data."""
    return assignments(_training_data(layout))


def _variables_of(layout: Layout) -> dict[str, str | Path | list]:
    """Return the variables that the options determine."""
    options = layout.options
    student = student_model(layout)
    variables = {name: getattr(options, name) for name in SETTINGS}
    return (
        variables
        | {
            "bpemodel": layout.bpemodel or "",
            "teacher": options.teacher,
            "stats_dir": layout.stats_dir,
            "dump_dir": layout.dump_dir,
            "inference_tag": inference_tag(layout),
            "evaldir": options.evaldir
            or f"{options.expdir}/{layout.of_speaker('evaluation')}",
            "speech_sets": " ".join(layout.test_sets),
            "eval_set": layout.test_sets[0],
            "front_end": layout.front_end,
            "token_list": layout.token_list,
            "align_dir": layout.align_dir,
            "text_set": layout.text_set,
            "teacher_exp": layout.teacher_model.parent,
            "teacher_model": layout.teacher_model,
            "student_exp": layout.student_exp,
            "student_train": layout.student_config,
            "distill_config": layout.distill_config,
            "student_model": student,
            "vocoder_exp": layout.vocoder_exp,
            "waves_dir": layout.waves_dir,
            "train_waves": layout.wave_list(options.train_set),
            "valid_waves": layout.wave_list(options.valid_set),
            "wave_options": _wave_options(layout, student),
            "tts_options": _tts_options(layout),
            "align_options": _align_options(layout),
            "bpe_options": _bpe_options(layout),
            "progress_folders": _progress_folders(layout, student),
            "distill": str(options.distill and not layout.is_synthesized).lower(),
            "is_synthesized": str(layout.is_synthesized).lower(),
            "is_latent": str(layout.is_latent).lower(),
            "speech_dir": layout.speech_dir,
        }
        | _dump_variables(layout)
        | _student_variables(layout)
        | _training_data(layout)
    )


def _student_variables(layout: Layout) -> dict[str, str | int]:
    """Return what the student's configuration decides.

    `duration_shift` is the number of samples that a duration counts: of a speech script,
    a step of the student's decoder. A student of latents needs no features of the
    waveforms but for its pitch.
    """
    options, conf = layout.options, read_student_conf(layout)
    shift = int(options.n_shift)
    if options.speech_script:
        shift *= (conf.get("tts_conf") or {}).get("reduction_factor", 1)
    return {
        "extracts_features": str(_extracts_features(layout)).lower(),
        "duration_shift": shift,
    }


def _extracts_features(layout: Layout) -> bool:
    return not layout.is_latent or "pitch_extract" in read_student_conf(layout)


def _training_data(layout: Layout) -> dict[str, str | list]:
    """Return the sets of the training, and the data that tts.sh passes to it.

    They depend on the alignment (stage 2) and on the statistics (stage 3).
    """
    train, valid = layout.training_sets
    return {
        "training_set": train,
        "validation_set": valid,
        "train_data": _data_options(layout, train, "train"),
        "valid_data": _data_options(layout, valid, "valid"),
    }


def _dump_variables(layout: Layout) -> dict[str, list[str]]:
    """Return the arguments of dump_set: a set, the data folder of its speech, options.

    Of a student of latents, only the vocoder is trained on waveforms, and not on those
    of pseudo-labels.
    """
    outputs = ["--latents"] if layout.is_latent else []
    more_outputs = outputs if _extracts_features(layout) else ["--latents_only"]
    condition = ["--append_condition"] if appends_condition(layout) else []
    options = {
        "train_texts": outputs,
        "valid_texts": outputs,
        "more_texts": more_outputs,
    }
    sets = (*layout.dumped_sets, layout.text_set)
    folders = (*layout.aligned_sets, layout.text_set)
    return {
        variable: [
            name,
            str(layout.align_dir / folder),
            *options[variable],
            *condition,
            *_text_options(layout, name),
        ]
        for variable, name, folder in zip(SPEECH_DATA, sets, folders)
    }


def _data_options(layout: Layout, name: str, split: str) -> list[str]:
    """Return the data of a set of the training, for its teacher dump."""
    raw, collected = layout.raw(name), layout.stats_dir / split / "collect_feats"
    data = [
        f"{raw}/wav.scp,speech,sound",
        f"{layout.align_dir}/{name}/durations,durations,text_int",
    ]
    for item in ("pitch", "energy"):  # otherwise the teacher extracts them
        if (collected / f"{item}.scp").exists():
            data.append(f"{collected}/{item}.scp,{item},npy")
    return _text_options(layout, name) + _as_words(data)


def _text_options(layout: Layout, name: str) -> list[str]:
    """Return a set's text, and its ids and embeddings of speakers and languages."""
    options, raw = layout.options, layout.raw(name)
    data = [f"{raw}/text,text,text"]
    for kind in ("sid", "lid"):
        if options.has_tts_flag(f"use_{kind}"):
            data.append(f"{raw}/utt2{kind},{kind}s,text_int")
    if options.has_tts_flag("use_spk_embed"):
        tag = layout.spk_embed_tag
        data.append(f"{options.dumpdir}/{tag}/{name}/{tag}.scp,spembs,kaldi_ark")
    return _as_words(data)


def _as_words(data: list[str]) -> list[str]:
    return [word for item in data for word in ("--data_path_and_name_and_type", item)]


def _tts_options(layout: Layout) -> list[str]:
    """Return the options of tts.sh that no stage changes."""
    options = layout.options
    names = ("dumpdir", "expdir", "train_set", "valid_set", "test_sets", *SETTINGS)
    values = {name: getattr(options, name) for name in names}
    values["srctexts"] = f"data/{options.train_set}/text"
    values["train_args"] = layout.front_end
    values["tts_stats_dir"] = layout.stats_dir
    return _words(values)


def _align_options(layout: Layout) -> list[str]:
    options = layout.options
    names = ("ngpu", "max_unaligned", "token_type", "cleaner", "g2p", "fs", "n_fft")
    values = {name: getattr(options, name) for name in (*names, "n_shift")}
    values |= {"win_length": options.win_length, "steps": options.align_steps}
    values |= {"token_list": layout.token_list, "output_dir": layout.align_dir}
    if layout.bpemodel:
        values["bpemodel"] = layout.bpemodel
    values["data"] = layout.raw(options.train_set)
    others = options.sets[1:]
    return [*_words(values), "--also", *(str(layout.raw(name)) for name in others)]


def _bpe_options(layout: Layout) -> list[str]:
    options = layout.options
    if not layout.bpemodel:
        return []
    values = {"text": f"data/{options.train_set}/text", "cleaner": options.cleaner}
    values |= {"nbpe": options.nbpe, "bpemodel": layout.bpemodel}
    values["token-list"] = layout.token_list
    if options.bpemodel:
        values["given"] = options.bpemodel
    return _words(values) + ["--tokens-of-text"] * (not options.train_teacher)


def _wave_options(layout: Layout, student: Path) -> list[str]:
    values = {"config": student.with_name("config.yaml")}
    if not layout.vocoder_speech:
        values["vocoder_file"] = layout.options.vocoder_file
    words = _words(values)
    return words + (["--device", "cuda"] if layout.options.ngpu else [])


def _progress_folders(layout: Layout, student: Path) -> list[str]:
    """Return the folders of the logs of local jobs, TITLE=FOLDER, for show_progress."""
    teacher, tag = layout.teacher_model.parent, inference_tag(layout)
    options = layout.options
    sets = (
        f"org/{options.train_set}",
        f"org/{options.valid_set}",
        *options.test_sets.split(),
    )
    folders = {
        **{
            f"data of {name.removeprefix('org/')}": layout.raw(name) / "logs"
            for name in sets
        },
        "statistics": layout.stats_dir / "logdir",
        "alignment": layout.align_dir,
        "teacher": teacher,
        "teacher dump": layout.dump_dir,
        "student": layout.student_exp,
        "synthesis by the teacher": teacher / tag,
        "synthesis by the student": student.parent / tag,
        "waveforms": layout.waves_dir,
        "vocoder": layout.vocoder_exp,
    }
    if options.vocoder_preset:
        pair = student.parent.with_name(f"{student.parent.name}_pair")
        folders["synthesis by student and vocoder"] = pair / tag
    if layout.text_set:
        folders["pseudo-labels"] = teacher / layout.text_set
    if layout.is_synthesized:
        folders["speech of the teacher"] = layout.speech_dir
    return [f"{title}={folder}" for title, folder in folders.items()]


def inference_tag(layout: Layout) -> str:
    """Return the folder of the speech in each experiment."""
    options = layout.options
    return options.inference_tag or f"{layout.of_speaker(options.student_tag)}_decode"


def _words(values: Mapping) -> list[str]:
    return [
        word for name, value in values.items() for word in (f"--{name}", str(value))
    ]
