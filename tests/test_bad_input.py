"""Input that cannot work: one line, exit status 2, and nothing under a final name."""

import importlib
import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from espnet_distill.cli import main as cli
from espnet_distill.errors import error_lines
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.files import read_yaml

from .bad_input import OTHER_TOKENS, PRUNE, SMALL, TRIES, Place
from .conftest import files, run_python
from .holding import held
from .reliability import page

PROGRAM = Path(__file__).with_name("killed.py")
CLI = "espnet_distill.cli.main"
DOCS = Path(__file__).parents[1] / "docs" / "reliability.md"


@pytest.fixture(scope="session")
def tiny_disk(tmp_path_factory):
    """A disk on which nothing of a model finds room."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def place(tmp_path, monkeypatch, corpus, teacher, tiny_disk):
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, corpus, teacher, tiny_disk)


@pytest.mark.parametrize(
    "tried", TRIES, ids=[f"{one.command}: {one.what}" for one in TRIES]
)
def test_one_line_and_nothing_left(tried, place, capfd, monkeypatch):
    if tried.full_disk and place.disk is None:
        pytest.skip("tmpfs cannot be mounted here")
    if any(find_spec(package) is None for package in tried.needs):
        pytest.skip(f"requires {', '.join(tried.needs)}")
    arguments = [str(argument) for argument in tried.arguments(place)]
    for name, value in tried.environment(place).items():
        monkeypatch.setenv(name, str(value))
    before = files(place.root)
    capfd.readouterr()
    assert cli.main([tried.command, *arguments]) == 2
    out, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if "error" in line.lower()]
    assert len(lines) == tried.lines and err.endswith(f"{lines[-1]}\n"), err
    for line in lines:
        assert line.startswith(f"espnet-distill {tried.command}: error: ")
        assert tried.message in line and len(line) < 700
    assert "Traceback" not in err and out == ""
    assert files(place.root) == before
    assert place.disk is None or not files(place.disk)


def test_the_documentation_is_made_of_these_tests():
    assert page() == DOCS.read_text(encoding="utf-8"), (
        "python -m tests.reliability > docs/reliability.md"
    )


def killed(root, calls, again, registered=True, before=()):
    """Kill the calls before each change of names, see what is left; count the kills."""
    task = {"root": str(root), "again": again, "registered": registered}
    task["calls"] = [list(map(str, call)) for call in calls]
    task["before"] = [list(map(str, call)) for call in before]
    done = run_python(PROGRAM, input=json.dumps(task))
    assert done.returncode == 0, done.stderr[-5000:]
    return int(done.stdout.splitlines()[-1].split()[0])


def test_unpack_killed(place):
    call = [CLI, "unpack", place.archive(), "out"]
    assert killed(place.root, [call], again=True, registered=False) > 1


def test_unpack_of_another_archive_killed(place):
    """There is the old model, the new one or none, and the next run makes it whole."""
    old = place.archive().rename(place.root / "old.zip")
    new = place.archive(("exp/more.txt", "more"))
    before, call = ([CLI, "unpack", path, "out"] for path in (old, new))
    kills = killed(place.root, [call], again=True, registered=False, before=[before])
    assert kills > 6


@pytest.mark.slow
@pytest.mark.parametrize("command", ["derive", "prune", "compact"])
def test_cutting_killed(place, command):
    source = place.pruned() if command == "compact" else place.teacher()
    options = [] if command == "compact" else ["--pressure", SMALL]
    call = [CLI, command, source, "out", *options]
    assert killed(place.root, [call], again=False) > 1


@pytest.mark.slow
def test_dump_killed(place):
    train, data = place.train(), place.data()
    common = ["--config", train, "--output_dir", "dump/valid"]
    names = ("text,text,text", "wav.scp,speech,sound", "durations,durations,text_int")
    given = [("--data_path_and_name_and_type", f"{data}/{name}") for name in names]
    dump = [*common, *sum(given, ()), "--key_file", data / "text", "--batch_size", 1]
    calls = [["espnet_distill.bin.dump_teacher", *dump]]
    calls += [["espnet_distill.bin.finish_dump", *common, "--text", data / "text"]]
    assert killed(place.root, calls, again=True) > 6


FULL = """
import errno, os
raise OSError(errno.{error}, os.strerror(errno.{error}), "out/a1.npy")
"""


@pytest.mark.parametrize("kind", ["dump_teacher", "dump_waves"])
def test_a_full_disk_stops_a_dump_with_what_it_is(place, kind):
    """Run with the plugin it is one line, see below."""
    if place.disk is None:
        pytest.skip("tmpfs cannot be mounted here")
    data, out = place.data(), place.disk / "dump"
    command = ["--config", place.train(), "--output_dir", out]
    command += ["--key_file", data / "text"]
    if kind == "dump_teacher":
        names = ("text,text,text", "wav.scp,speech,sound")
        for item in (*names, "durations,durations,text_int"):
            command += ["--data_path_and_name_and_type", f"{data}/{item}"]
    else:
        command[1] = place.teacher() / "config.yaml"
        command += ["--wav_scp", data / "wav.scp"]
    program = importlib.import_module(f"espnet_distill.bin.{kind}")
    with pytest.raises(OSError) as caught:
        program.main([str(word) for word in command])
    try:
        assert error_lines(caught.value)[0].endswith("No space left on device")
        names = {path.name for path in out.rglob("*") if path.is_file()}
        assert names <= {"begun.yaml"}
    finally:
        shutil.rmtree(out, ignore_errors=True)


def test_a_program_run_with_the_plugin_ends_in_a_line_on_a_full_disk(place):
    program = place.file("full.py", FULL.format(error="ENOSPC"))
    done = run_python("-m", "espnet_distill", program)
    line = "espnet_distill: error: out/a1.npy: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, line)
    program = place.file("full.py", FULL.format(error="EIO"))
    assert "Traceback" in run_python("-m", "espnet_distill", program).stderr


def test_an_evaluation_that_is_being_written_is_refused(place, capsys):
    arguments = [*place.evaluation_arguments(), "--out", "evaluation"]
    with held(place.root / "evaluation") as child:
        assert cli.main(["evaluate", *map(str, arguments)]) == 2
    line = f"evaluation: is being written by process {child.pid} on "
    assert f"espnet-distill evaluate: error: {line}" in capsys.readouterr().err


ODD = "mein Ordner/Stra\xdfe \u97f3\u58f0"


@pytest.mark.parametrize("command", ["derive", "prune", "compact"])
def test_paths_with_spaces_and_letters_beyond_ascii(place, command):
    special = Place(place.folder(ODD), place.corpus, place.source)
    source = special.pruned() if command == "compact" else special.teacher()
    options = [] if command == "compact" else ["--pressure", str(SMALL)]
    out = special.root / "out put"
    assert cli.main([command, str(source), str(out), *options]) == 0
    train = read_yaml(out / "train.yaml")
    assert Path(train["init_param"][0].partition(":")[0]).is_file()
    assert Experiment(out).checkpoint.parent == out


def test_check_unpack_and_seeds_of_such_paths(place, capsys):
    special = Place(place.folder(ODD), place.corpus, place.source)
    archive = special.archive()
    assert cli.main(["unpack", str(archive), str(special.root / "aus gepackt")]) == 0
    *_, folder = capsys.readouterr().out.splitlines()
    assert cli.main(["check", str(special.train(teacher=folder))]) == 0
    assert folder in capsys.readouterr().out
    assert cli.main(["summarize-seeds", str(special.evaluation())]) == 0


def test_check_reports_all_errors_at_once(place, capsys):
    truncated = place.truncated()
    changes = {"token_list": OTHER_TOKENS, "feats_extract_conf": {"fs": 8000}}
    other = place.teacher("other", **changes)
    train = place.train(
        teacher=[str(truncated), str(other), "nobody"],
        epochs=3,
        optim_conf={"lr": "1e-3"},
        init_param=["missing.pth"],
        distill_conf={
            "temperature": 0,
            "fuson": "mean",
            "objectives": [
                {"type": "melody"},
                {"type": "hidden", "tap": "encoder.encoders.7"},
                {"type": "mel", "weight": -1, "wait": 2},
                {"type": "stop"},
            ],
        },
        callbacks=[
            PRUNE | {"pressure": 1.5, "criterion": "size"},
            PRUNE | {"exclude": ["tts.feat_uot.*"]},
            PRUNE | {"unit": "epoch", "end": 3},
        ],
    )
    assert cli.main(["check", "--vocoder", "no.pth", str(train)]) == 2
    lines = capsys.readouterr().err.splitlines()
    for words in (
        ": nobody: no such experiment folder",
        "not a readable checkpoint",
        "token_list: token 3",
        "feats_extract_conf.fs: the student has 16000",
        "no key 'epochs'; near: max_epoch",
        "optim_conf: ",
        "init_param: missing.pth: no such file",
        "distill_conf.temperature: ",
        "distill_conf: no key 'fuson'",
        "objectives[0]: no objective 'melody'",
        "student: tap 'encoder.encoders.7': no such module",
        f"teacher {other}: tap 'encoder.encoders.7': no such module",
        "objectives[2]: mel.weight: ",
        "objectives[2]: mel has no key 'wait'",
        "the student has no tap 'stop'",
        "callbacks[0]: pressure: 1.5",
        "callbacks[0]: criterion: no 'size'",
        "callbacks[1]: exclude: 'tts.feat_uot.*'",
        "callbacks[2]: end: epoch 3 is after the training's last, 2",
        "vocoder no.pth: no such file",
    ):
        assert len([line for line in lines if words in line]) == 1, words
    assert len(lines) == 20
    assert all(line.startswith("espnet-distill check: error: ") for line in lines)


def test_what_is_planned_need_not_be_there(place, capsys):
    later = {"normalize_conf": {"stats_file": "later.npz"}, "teacher_dump": "later"}
    train = place.train(init_param=["later.pth:tts:tts"], **later)
    assert cli.main(["check", "--planned", str(train)]) == 0
    assert "-> student (" in capsys.readouterr().out


def test_options_override_the_configuration(place, capsys):
    train = place.train(teacher="nobody", distill_conf={"temperature": 2})
    options = ["--teacher", str(place.source), "--distill_conf", "temperature=1"]
    assert cli.main(["check", str(train), *options]) == 0
    options[-1] = "temperature=0"
    assert cli.main(["check", str(train), *options]) == 2
    assert "distill_conf.temperature: " in capsys.readouterr().err
