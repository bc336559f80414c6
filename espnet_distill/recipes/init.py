"""`espnet-distill init`: add distillation to an existing recipe.

Writes ``run_distill.sh`` and ``conf/distill/train_student.yaml``; no file of the recipe
changes, and existing files stay.
"""

import os
import shlex
import time
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.recipes.run_sh import options_of
from espnet_distill.recipes.shell_values import require_shell_value, require_word
from espnet_distill.recipes.template import SCRIPTS, template_root
from espnet_distill.utils.files import written_whole

SCRIPT = Path("run_distill.sh")


STUDENT = Path("conf/distill/train_student.yaml")


PRESET = "conf/students/fastspeech2_small.yaml"


OBJECTIVES = "conf/objectives/fastspeech2.yaml"


OF_LATENTS = {
    "student_features": "latents",
    "noise_scale": "0",
    "vocoder_preset": "harmonic_istft_small",
}


SETS = ("train_set", "valid_set", "test_sets")


FOLDERS = ("dumpdir", "expdir")


FLAGS = {"sids": "use_sid", "lids": "use_lid", "spembs": "use_spk_embed"}


PASSED_ON = (
    *("audio_format", "min_wav_duration", "max_wav_duration", "nlsyms_txt"),
    *("use_sid", "use_lid", "use_spk_embed"),
    *("spk_embed_tag", "spk_embed_tool", "spk_embed_model"),
)


def init(recipe: str | Path, speaker: str = "") -> list[str]:
    """Write the files of a distillation that a recipe lacks.

    Args:
        recipe: ``egs2/<corpus>/tts1`` of ESPnet's tree, or a folder like it.
        speaker: The one speaker of a teacher of several whom the student is of.

    Returns:
        Lines of a report: the teacher, and each file with its state.

    Raises:
        ConfigError: No such recipe, or one whose conf/ links elsewhere; or a speaker is
            named without a teacher of several.
    """
    from espnet_distill.recipes.trained import trained_in

    recipe = Path(recipe)
    _require_recipe(recipe)
    options = options_of(recipe / "run.sh").items()
    given = {name: value for name, value in options if _can_pass_on(name, value)}
    expdir = given.get("expdir", "exp")
    trained = trained_in(recipe, expdir)
    teacher = next((one for one in trained if one.is_supported), None)
    if speaker:
        _require_several(teacher, speaker, recipe)
    options = _options(given, teacher, recipe)
    options |= {"speaker": speaker} if speaker else {}
    conditions = _conditions_of_student(teacher, speaker)
    if _has_latents(teacher, conditions):
        options |= OF_LATENTS
    texts = {
        STUDENT: _student(teacher, conditions),
        SCRIPT: _script(recipe, trained, teacher, options),
    }
    name = f"{teacher.folder} ({teacher.kind})" if teacher else "none trained yet"
    lines = [f"teacher: {name}", *_decoder_lines(teacher)]
    for name, text in texts.items():
        if os.path.lexists(recipe / name):
            lines.append(f"{recipe / name}: exists, unchanged")
            if name == SCRIPT and teacher and _assignment(teacher) not in _read(recipe):
                lines.append(f"to use this teacher, add to it: {_assignment(teacher)}")
            continue
        _write(recipe / name, text)
        lines.append(f"{recipe / name}: written")
    return lines


def _require_several(teacher, speaker: str, recipe: Path) -> None:
    """Raise a ConfigError unless there is a teacher of several speakers."""
    from espnet_distill.experiments.ids import has_speakers
    from espnet_distill.recipes.trained import conditions_of

    require_word(speaker, "--speaker")
    if teacher is None:
        raise ConfigError(f"--speaker {speaker}: {recipe} has no trained teacher")
    if not has_speakers(conditions_of(teacher.conf)):
        raise ConfigError(
            f"--speaker {speaker}: {recipe / teacher.folder} has one speaker; leave "
            "--speaker out"
        )


def _conditions_of_student(teacher, speaker: str) -> dict:
    """Return the keys of ``tts_conf`` for the student's speakers and languages."""
    from espnet_distill.experiments.ids import without_speakers
    from espnet_distill.recipes.trained import conditions_of

    conditions = conditions_of(teacher.conf) if teacher else {}
    return without_speakers(conditions) if speaker else conditions


def _has_latents(teacher, conditions: dict) -> bool:
    """Return True if a student can predict the input of the teacher's decoder."""
    from espnet_distill.recipes.trained import is_conditioned

    return bool(teacher and teacher.has_decoder and not is_conditioned(conditions))


def _decoder_lines(teacher) -> list[str]:
    """Return how the waveform decoder of a teacher that has one is replaced."""
    if teacher is None or not teacher.has_decoder:
        return []
    folder = shlex.quote(str(teacher.folder))
    return [
        "to replace its waveform decoder instead, in the recipe: "
        f'bash "$(espnet-distill template)/replace_decoder.sh" --teacher {folder} '
        f"--out {folder}_small"
    ]


def _assignment(teacher) -> str:
    return f"teacher={shlex.quote(str(teacher.folder))}"


def _read(recipe: Path) -> str:
    try:
        return (recipe / SCRIPT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _write(path: Path, text: str) -> None:
    try:
        with written_whole(path) as beside:
            beside.write_text(text, encoding="utf-8")
            if path.suffix == ".sh":
                beside.chmod(0o755)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def _require_recipe(recipe: Path) -> None:
    for name in ("tts.sh", "path.sh", "cmd.sh"):
        if not (recipe / name).is_file():
            raise ConfigError(
                f"{recipe}: no {name} in it; name an ESPnet recipe, as "
                "egs2/<corpus>/tts1"
            )
    for name in (SCRIPT, STUDENT):
        folder = (recipe / name).parent
        if not folder.resolve().is_relative_to(recipe.resolve()):
            raise ConfigError(
                f"{folder}: links out of the recipe, to {folder.resolve()}; make it a "
                "folder"
            )
        if os.path.lexists(folder) and not folder.is_dir():
            raise ConfigError(f"{folder}: is no folder; rename it")


def _options(given: dict[str, str], teacher, recipe: Path) -> dict[str, str]:
    """Return options of distill.sh: of the teacher's configuration, else of run.sh.

    Raises:
        ConfigError: A value that a shell would interpret.
    """
    from espnet_distill.recipes.teacher_settings import OPTIONS, settings_of

    config = recipe / teacher.folder / "config.yaml" if teacher else recipe / "run.sh"
    settings = settings_of(teacher.conf, config) if teacher else given
    options = {name: settings[name] for name in OPTIONS if name in settings}
    sets = {name: given[name] for name in (*FOLDERS, *SETS) if name in given}
    passed = {name: given[name] for name in PASSED_ON if name in given}
    if teacher:
        sets |= _sets_of(teacher)
        passed |= _flags_of(teacher)
    if "test_sets" in sets:
        held_out = [
            name
            for name in sets["test_sets"].split()
            if name not in (sets.get("train_set"), sets.get("valid_set"))
        ]
        sets["test_sets"] = " ".join(held_out) or sets["test_sets"]
    passed = {name: value for name, value in passed.items() if len(value.split()) == 1}
    for name, value in (sets | options | passed).items():
        _require_shell_safe(name, value, f"{config}: --{name}")
    more = {"tts_opts": " ".join(f"--{name} {value}" for name, value in passed.items())}
    return sets | options | (more if passed else {})


def _require_shell_safe(name: str, value: str, where: str) -> None:
    """Raise a ConfigError for a value that a shell would interpret."""
    from espnet_distill.recipes.teacher_settings import OPTIONS

    if name in OPTIONS:
        require_shell_value(name, value, where)
        return
    for word in value.split(" ") if name == "test_sets" else [value]:
        require_word(word, where)


def _can_pass_on(name: str, value: str) -> bool:
    """Return True if an option of run.sh is safe to pass on to distill.sh."""
    try:
        _require_shell_safe(name, value, name)
    except ConfigError:
        return False
    return True


def _sets_of(teacher) -> dict[str, str]:
    """Return the names of a teacher's sets, if tts.sh trained it."""
    sets = {}
    for name in ("train", "valid"):
        text = teacher.data(name).get("text")
        if text is not None and text.name == "text":
            sets[f"{name}_set"] = text.parent.name
    return sets


def _flags_of(teacher) -> dict[str, str]:
    """Return the options of tts.sh that enable a teacher's speakers and languages."""
    data = teacher.data("train")
    flags = {flag: "true" for name, flag in FLAGS.items() if name in data}
    if "spembs" in data:
        flags["spk_embed_tag"] = data["spembs"].stem
    return flags


def _student(teacher, conditions: dict) -> str:
    """Return a student's training configuration: training, model and objectives."""
    import yaml

    from espnet_distill.recipes.trained import own_extraction, tap_names_of

    root = template_root()
    if _has_latents(teacher, conditions):
        return (root / SCRIPTS / "conf/train_student_of_latents.yaml").read_text(
            "utf-8"
        )
    training = (root / SCRIPTS / "conf/train_student.yaml").read_text("utf-8")
    model = (root / PRESET).read_text("utf-8")
    conf = teacher.conf if teacher else {}
    if conditions:  # the preset ends with its tts_conf
        model += "".join(f"    {line}\n" for line in _lines(conditions))
    if teacher and teacher.is_text_to_wave:
        return "\n".join([training, model])
    objectives = (root / OBJECTIVES).read_text("utf-8").splitlines(keepends=True)
    tap_names = tap_names_of(conf.get("tts", "fastspeech2"))
    objective_lines = ["# Objectives of the distillation.\n"]
    objective_lines += [line for line in objectives if _is_supported(line, tap_names)]
    if own := own_extraction(conf):
        training += "\n# as the teacher's\n" + yaml.safe_dump(own)
    return "\n".join([training, model, "".join(objective_lines)])


def _lines(conf: dict) -> list[str]:
    import yaml

    return yaml.safe_dump(conf, sort_keys=False).splitlines()


def _is_supported(line: str, tap_names: tuple[str, ...]) -> bool:
    """Return True for a line without an objective, or with one of these taps."""
    import yaml

    if not line.strip().startswith("- {"):
        return not line.startswith("#")
    (objective,) = yaml.safe_load(line)
    return objective.get("tap", objective["type"]) in tap_names


def _script(recipe: Path, trained: list, teacher, options: dict[str, str]) -> str:
    text = (template_root() / SCRIPTS / SCRIPT).read_text("utf-8")
    raw = recipe / options.get("dumpdir", "dump") / "raw"
    data = options.get("train_set", "")
    is_prepared = bool(data) and (raw / data / "text").is_file()
    passed = "".join(
        f"    --{name} {shlex.quote(value)} \\\n" for name, value in options.items()
    )
    return (
        text.replace("@found@", "\n".join(_teacher_lines(trained, teacher, options)))
        .replace("@stage@", "2" if is_prepared else "1")
        .replace("@options@\n", passed)
    )


def _teacher_lines(trained: list, teacher, options: dict[str, str]) -> list[str]:
    """Return the lines of run_distill.sh that choose the teacher and list others."""
    lines = []
    for one in trained:
        if one is not teacher:
            day = time.strftime("%Y-%m-%d", time.localtime(one.time))
            verb = "Other teacher" if one.is_supported else "Not supported"
            lines.append(f"# {verb}: {one.folder} ({one.kind}, {day})")
    for name in SETS:
        if name not in options:
            lines.append(
                f"# PLACEHOLDER: run.sh does not determine --{name}; add it below."
            )
    if teacher:
        return [*lines, _assignment(teacher)]
    return [
        *lines,
        "# PLACEHOLDER: no trained teacher yet. Name an experiment such as",
        "# exp/tts_train_fastspeech2, a packed .zip or hub:owner/name of the hub.",
        "teacher=",
    ]
