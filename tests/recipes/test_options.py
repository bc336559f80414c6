"""Option values of the scripts: unchanged, or refused before anything runs."""

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.recipes.run_options import RunOptions
from espnet_distill.recipes.shell_values import SPECIAL, require_plain
from espnet_distill.utils.espnet_root import espnet_root

from .mini_an4 import copy_recipe, run
from .run_options import SCRIPTS, options_of

PASSED = 7  # the exit status of the path.sh below
NASTY = ["$(touch PWNED)", "`touch PWNED`", 'a"b', "a'b", "a;touch PWNED", "a\nb"]
NASTY += [
    "a\\b",
    "a&b",
    "a|touch PWNED",
    "a>PWNED",
    "(a)",
    "a#b",
    "{a,b}",
    "a!b",
    "a\tb",
]
GLOBS = ["*", "a?", "[ab]"]
PLAIN = ["a", "a/b.c", "hub:espnet/a_b@v1", "1.0e-3", "Stra\xdfe", "a,b", "x=1"]
PLAIN += ["50%", "~a"]
SPACED = {
    "distill.sh": "evaldir more_teachers python teacher test_sets vocoder_file",
    "ablation.sh": "csv metrics seeds settings students vocoder_file",
    "pruning.sh": "csv metrics prune_also seeds settings vocoder_file",
    "replace_decoder.sh": "data python",
}
PATTERNS = {
    "distill.sh": "student_args tts_opts vocoder_args",
    "ablation.sh": "options",
    "pruning.sh": "exclude options",
    "replace_decoder.sh": "vocoder_args",
}


def in_bash(script):
    """Run a script with this interpreter's programs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    return subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True
    )


@pytest.fixture
def call(tmp_path):
    """Call a script whose path.sh prints an option as parse_options.sh has set it."""
    parse = espnet_root() / "egs2/TEMPLATE/asr1/utils/parse_options.sh"
    (tmp_path / "path.sh").write_text(
        f'. {parse}\nprintf "%s" "${{!OPTION}}"\nexit {PASSED}\n'
    )

    def call(script, *arguments):
        return subprocess.run(
            [SCRIPTS / script, *arguments],
            cwd=tmp_path,
            env=os.environ | {"OPTION": arguments[0].removeprefix("--")},
            capture_output=True,
            text=True,
        )

    yield call
    assert os.listdir(tmp_path) == ["path.sh"], "a value was run"


def refused(done, option, why):
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f": error: {option}" in done.stderr and why in done.stderr
    return True


def unchanged(done, value):
    assert done.returncode == PASSED, done.stderr
    assert done.stdout.endswith(value)
    return True


@pytest.mark.parametrize("script", SPACED)
def test_no_option_of_any_script_is_run(script, call):
    for name, default in options_of(script).items():
        if default not in ("true", "false"):
            done = call(script, f"--{name}", NASTY[0])
            assert refused(done, f"--{name}", "which a shell reads; rename it")


@pytest.mark.parametrize("script", SPACED)
def test_spaces_are_kept_or_refused(script, call):
    kept = f"{SPACED[script]} {PATTERNS[script]}".split()
    assert set(kept) <= options_of(script).keys()
    for name, default in options_of(script).items():
        if default in ("true", "false"):
            continue
        done = call(script, f"--{name}", "a b")
        if name in kept:
            assert unchanged(done, "a b")
        else:
            assert refused(done, f"--{name}", "has a space, which tts.sh cannot take")


@pytest.mark.parametrize("value", NASTY)
def test_special_characters_of_a_shell_are_refused(value, call):
    for name in (
        "teacher",
        "student_tag",
        "expdir",
        "pseudo_label_text",
        "student_args",
    ):
        assert refused(call("distill.sh", f"--{name}", value), f"--{name}", "has ")


@pytest.mark.parametrize("value", GLOBS)
def test_patterns_are_for_those_that_take_them(value, call):
    assert refused(call("distill.sh", "--teacher", value), "--teacher", "has ")
    assert unchanged(call("distill.sh", "--student_args", value), value)
    assert unchanged(call("pruning.sh", "--exclude", value), value)


@pytest.mark.parametrize("value", PLAIN)
def test_plain_values_are_unchanged(value, call):
    assert unchanged(call("distill.sh", "--teacher", value), value)


def test_names_of_options_are_not_run(call):
    for option in ("--a;touch PWNED", "--$(touch PWNED)", "--teacher=a"):
        assert refused(call("distill.sh", option, "b"), option, "write --name value")
    assert refused(call("distill.sh", "--teacher"), "--teacher", "has no value")
    done = call("distill.sh", "--teacher", "--student_tag")
    assert refused(done, "--teacher", "--student_tag: is an option, not a value")


def test_python_and_the_shell_refuse_the_same(call):
    script = (SCRIPTS / "check_options.sh").read_text()
    special = re.search(r'special="(.*)"\n', script)[1] + "*?[]"
    assert set(re.sub(r'\\(["$`\\])', r"\1", special)) == set(SPECIAL)
    for character in SPECIAL:
        with pytest.raises(ConfigError, match="which a shell reads"):
            require_plain(f"a{character}b", "here")


def test_python_and_the_shell_have_the_same_options():
    names = [field.name for field in fields(RunOptions)]
    assert names == ["shared", *options_of("distill.sh")]


def test_a_setting_of_pruning_keeps_the_callbacks_of_the_training(tmp_path):
    config = tmp_path / "train.yaml"
    config.write_text("batch_size: 2\ncallbacks:\n- {type: bfloat16}\n")
    script = (SCRIPTS / "pruning.sh").read_text()
    function = script[script.index("add_callback()") : script.index("\nrun()")]
    callback = {"type": "prune", "pressure": 0.5, "end": 9}
    done = in_bash(f"{function}\nadd_callback {config} '{json.dumps(callback)}'")
    assert yaml.safe_load(done.stdout) == {
        "batch_size": 2,
        "callbacks": [{"type": "bfloat16"}, callback],
    }


@pytest.mark.parametrize(
    "options, line",
    [
        (["--criterion", "taylr"], "taylr"),
        (["--settings", "structured_5"], "pressure"),
    ],
)
def test_options_of_pruning_are_checked_before_the_first_training(
    options, line, tmp_path
):
    recipe = copy_recipe(tmp_path)
    (recipe / "exp").mkdir()
    (recipe / "exp/teacher_model").write_text("exp/teacher/model.pth\n")
    done = run(recipe, "--settings", "structured_0.5", *options, script="./pruning.sh")
    assert done.returncode == 2 and line in done.stderr
    assert done.stderr.splitlines()[-1].startswith("./pruning.sh: error: callbacks: ")
    assert not list((recipe / "exp/pruning").glob("*_seed*"))


def test_options_are_compared_with_those_of_a_begun_training(tmp_path):
    """A refused start, with other options, leaves nothing that refuses the next."""
    script = f"""
        set -eu; root={tmp_path} options=
        . {SCRIPTS}/jobs.sh
        require_same_options student --a 1; require_same_options student --a 2
        mkdir {tmp_path}/student; touch {tmp_path}/student/checkpoint.pth
        require_same_options student --a 2; require_same_options student --a 1
    """
    done = in_bash(script)
    assert done.returncode == 2
    assert "student: was trained with other options; name another --tag" in done.stderr


@pytest.mark.parametrize("script", ["distill.sh", "replace_decoder.sh"])
def test_several_gpus_train_a_vocoder_in_a_process_each(script):
    """ESPnet's GAN trainer ends with an error where one process has several."""
    _, _, training = (SCRIPTS / script).read_text().partition("gan_tts_train ")
    words = training.partition("\n\n")[0].split()
    assert words[:2] == ["--ngpu", '"${ngpu}"']
    assert words[words.index("--multiprocessing_distributed") + 1] == "true"
