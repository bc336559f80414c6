"""Commands, options, links and configurations in README, docs/ and recipes' READMEs."""

import argparse
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

from espnet_distill.cli import main as cli
from espnet_distill.entry_points import entries
from espnet_distill.plugin import register_students
from espnet_distill.utils.espnet_root import TTS_SH, espnet_root
from espnet_distill.voice import __main__ as runtime

from .conftest import (
    FASTSPEECH2,
    MEASURES,
    global_mvn,
    load,
    make_experiment,
    run_python,
)
from .vocoders.test_distilled import save as save_vocoder

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "conf/students/README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("egs/*/*/README.md")),
]
EXTENDING = ROOT / "docs/extending.md"
TEMPLATE = ROOT / "egs/TEMPLATE/tts1"
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Programs of neither ESPnet nor this package, whose options are not checked.
OTHERS = {"pip", "cp", "mkdir", "cd", "export", "git", "."}


def blocks(page, language):
    """Return the fenced blocks of a page in a language."""
    found = FENCED.findall(page.read_text(encoding="utf-8"))
    return [text for kind, text in found if kind == language]


def commands(script):
    """Return the words of each command of a shell script, without its redirections."""
    found, command = [], ""
    for line in script.splitlines():
        command += line
        try:
            words = shlex.split(command.removesuffix("\\"), comments=True)
        except ValueError:  # a quotation goes on
            command += "\n"
            continue
        if command.endswith("\\"):
            command = command[:-1]
            continue
        command = ""
        if words:
            found.append(launched([word for word in words if word != "..."]))
    assert not command
    return found


def launched(words):
    """Leave out what submits a job array, and take its first job."""
    if not re.fullmatch(r"\$\{\w+_cmd\}", words[0]):
        return words
    assert re.fullmatch(r"JOB=1:\d+", words[1])
    return [word.replace("JOB", "1") for word in words[3:]]


ALL = [
    pytest.param(page, words, id=f"{page.relative_to(ROOT)}: {' '.join(words)[:50]}")
    for page in PAGES
    for script in blocks(page, "sh")
    for words in commands(script)
]


def without_environment(words):
    """Leave out the variables that are set before a command."""
    while "=" in words[0]:
        words = words[1:]
    return words


class Parsed(Exception):
    """A program has come as far as its arguments."""


def parse_own(parser_of, words, monkeypatch):
    """Let a program parse its arguments, and stop there."""
    parse_args = argparse.ArgumentParser.parse_args

    def parse(parser, args=None, namespace=None):
        parse_args(parser, words if args is None else args)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    with pytest.raises(Parsed):
        parser_of()


def parse_command(words):
    """Parse `espnet-distill COMMAND …` as the command line does."""
    _, module = cli.COMMANDS[words[0]]
    parser = argparse.ArgumentParser()
    import_module(module).add_arguments(parser)
    return parser.parse_args(words[1:])


def variables(script):
    """Return what is an option of a Kaldi-style script: the variables at its head."""
    head, _, _ = script.read_text(encoding="utf-8").partition("parse_options.sh")
    return set(re.findall(r"^(\w+)=", head, re.MULTILINE))


def require_options(script, words):
    """Fail if a script has no such option."""
    given = {word[2:] for word in words if re.fullmatch(r"--[\w-]+", word)}
    assert given - {"help"} <= variables(script), script


def script_of(page, words):
    """Return the script whose options the words of a script call."""
    own = page.parent / words[0]
    if page.is_relative_to(ROOT / "egs"):
        assert own.exists()
    if re.fullmatch(r"\./run\w*\.sh", words[0]):
        is_stock = {"--train_config", "--tts_exp"} & {*words}
        return espnet_root() / TTS_SH if is_stock else TEMPLATE / "distill.sh"
    if words[0] == "./tts.sh":
        return espnet_root() / TTS_SH
    return own if own.exists() else TEMPLATE / words[0]


@pytest.mark.parametrize("page, words", ALL)
def test_a_command_is_understood(page, words, monkeypatch):
    words = without_environment(words)
    if words[0] == "make":
        targets = re.findall(
            r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE
        )
        assert set(words[1:]) <= set(targets)
    elif words[0] == "espnet-distill":
        parse_command(words[1:])
    elif words[0] == "espnet-distill-voice":
        runtime.get_parser().parse_args(words[1:])
    elif words[0] == "python3":
        understand_python(page, words[1:], monkeypatch)
    elif words[0].startswith("./"):
        require_options(script_of(page, words), words)
    else:
        assert words[0] in OTHERS


def understand_python(page, words, monkeypatch):
    if words[0] == "-c":
        compile(words[1], str(page), "exec")
        return
    if words[:2] == ["-m", "espnet_distill"]:
        understand_python(page, words[2:], monkeypatch)
        return
    if words[0] == "-m":
        parser = import_module(words[1]).get_parser()
        if "--help" in words:
            words.remove("--help")
        else:
            parser.parse_args(words[2:])
        return
    program = next(
        place / words[0] for place in (page.parent, ROOT) if (place / words[0]).exists()
    )
    monkeypatch.syspath_prepend(program.parent)
    monkeypatch.setattr(sys, "argv", words)
    parse_own(
        lambda: runpy.run_path(str(program), run_name="__main__"),
        words[1:],
        monkeypatch,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_an_option_in_the_text_is_one(page):
    """Commands in the middle of a sentence leave out what they need."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for span in re.findall(r"`([^`]+)`", text):
        name, *words = span.split()
        if name == "espnet-distill" and words:
            parser = argparse.ArgumentParser()
            import_module(cli.COMMANDS[words[0]][1]).add_arguments(parser)
            given = {word for word in words if word.startswith("--")}
            assert given - {"--help"} <= set(parser._option_string_actions), span
        elif name in ("./run.sh", "./ablation.sh"):
            require_options(script_of(page, [name, *words]), words)
        elif name.startswith("benchmarks/"):
            assert (ROOT / name).is_file(), span


def anchors(page):
    """Return the names that GitHub gives to the headings of a page."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


# Configurations


@pytest.fixture
def own_choices(monkeypatch):
    """The choices of `--tts`, left as they were."""
    from espnet_distill.tasks.text2mel import tts_choices

    monkeypatch.setattr(tts_choices, "classes", dict(tts_choices.classes))
    return tts_choices


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where pip has installed the package of docs/extending.md."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "site"))
    for language in ("toml", "python"):
        (text,) = blocks(EXTENDING, language)
        (source / text.split(maxsplit=2)[1]).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--target", target, source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def installed(site, own_choices, monkeypatch):
    """This process, with the package of docs/extending.md."""
    monkeypatch.syspath_prepend(site)
    entries.cache_clear()
    register_students()
    yield own_choices
    entries.cache_clear()
    sys.modules.pop("distill_extras")


def configurations(page):
    """Return the YAML blocks of a page, as mappings."""
    return list(map(yaml.safe_load, blocks(page, "yaml")))


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page, "yaml")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_a_configuration_builds_what_it_names(page, installed):
    from espnet_distill.tasks.options import DistillOptions

    for conf in configurations(page):
        known = {"tts", "tts_conf", "teacher", "distill_conf", "callbacks", "trainer"}
        if conf.get("tts") == "vocoder":
            known |= {"model_conf", "text2mel", "teacher_dump"}
        assert set(conf) <= known
        callbacks = conf.get("callbacks", [])
        for callback in conf.get("trainer", {}).get("callbacks", []):
            target = callback.pop("_target_")
            module, _, name = target.rpartition(".")
            assert callable(getattr(import_module(module), name))
            callbacks = [*callbacks, callback]
        wanted = DistillOptions.of(Namespace(**conf | {"callbacks": callbacks}))
        assert len(wanted.build_callbacks().callbacks) == len(callbacks)
        assert wanted.build_objectives()
        if conf.get("tts") == "vocoder":
            build_vocoder_in_training(conf, wanted.build_objectives())
        elif "tts" in conf:
            assert installed.get_class(conf["tts"])


def build_vocoder_in_training(conf, objectives):
    from espnet_distill.data.mel_spec import MelSpec
    from espnet_distill.vocoders.generators.registry import build_generator
    from espnet_distill.vocoders.training.gan import VocoderGAN

    mels = MelSpec(22050, 1024, None, 256, "hann", 80, 0, 8000, None)
    generator = build_generator(conf["tts_conf"], mels)
    assert VocoderGAN(generator, mels, objectives, **conf["model_conf"])


def tiny(corpus, teacher, path):
    """The configuration of docs/extending.md, on a tiny corpus and of tiny sizes."""
    (conf,) = configurations(EXTENDING)
    sizes = {key: FASTSPEECH2[key] for key in FASTSPEECH2 if "predictor" in key}
    sizes |= conf.pop("tts_conf") | {"adim": 8, "postnet_layers": 0}
    conf |= {"teacher": [str(teacher)], "tts_conf": sizes, "max_epoch": 1}
    stock = yaml.safe_load(corpus.config(path).read_text())
    path.write_text(yaml.safe_dump(stock | conf))
    return path


def test_the_package_of_the_docs_trains(installed, corpus, teacher, tmp_path):
    from espnet_distill.tasks.text2mel import DistillTTSTask

    config = tiny(corpus, teacher, tmp_path / "train.yaml")
    DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
    checkpoint = load(tmp_path / "exp" / "checkpoint.pth")
    stats = checkpoint["reporter"]["stats"][1]["train"]
    assert stats["distill_melchange"] > 0
    assert stats["weight_norm"] > 0
    assert "tts.encoder.layers.2.conv.weight" in checkpoint["model"]


WIDE = FASTSPEECH2 | {"adim": 64, "elayers": 2, "dlayers": 2, "eunits": 128}
WIDE |= {"dunits": 128, "postnet_layers": 0}


@pytest.fixture
def project(installed, corpus, tmp_path, monkeypatch):
    """A folder that has what the commands of the docs name."""
    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    teacher = make_experiment(
        tmp_path / "exp/tts_train_fastspeech2", tts_conf=WIDE, **stats
    )
    for name in ("tts_teacher", "student"):
        (tmp_path / "exp" / name).symlink_to(teacher)
    wav_dir = teacher / "decode/dev/wav"
    wav_dir.mkdir(parents=True)
    for line in (corpus.root / "valid/wav.scp").read_text().splitlines():
        name, wav = line.split()
        (wav_dir / f"{name}.wav").symlink_to(wav)
    pruned = make_experiment(tmp_path / "exp/tts_pruned", tts_conf=WIDE, **stats)
    state = load(pruned / "train.loss.ave.pth")
    for name, tensor in state.items():
        if "feed_forward.w_1" in name:
            tensor[:64] = 0
    torch.save(state, pruned / "train.loss.ave.pth")
    (tmp_path / "exp/pretrained").symlink_to(teacher)
    for folder in ("dump/raw", "exp/alignment"):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copytree(corpus.root / "valid", tmp_path / folder / "dev")
        (tmp_path / folder / "train").symlink_to(corpus.root / "train")
    (tmp_path / "dump/raw/dev/front_end.yaml").write_text("language: en\n")
    (tmp_path / "exp/vocoder").mkdir()
    vocoder, _ = save_vocoder(tmp_path / "exp/vocoder", "istft_generator")
    shutil.copy(vocoder, vocoder.with_name("10epoch.pth"))
    (tmp_path / "pretrained").mkdir()
    tiny(corpus, teacher, tmp_path / "train.yaml")
    plain = {
        "teacher": [str(teacher)],
        "distill_conf": configurations(PAGES[0])[0]["distill_conf"],
    }
    corpus.config(tmp_path / "conf/tuning/train_student_fastspeech2.yaml", **plain)
    for name in ("train", "dev", "eval"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "text").write_text("a ein Haus\n")
    (tmp_path / "data/train/front_end.yaml").write_text("language: de\nvoice: de\n")
    (tmp_path / "more.txt").write_text("b eine Schule\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# One takes minutes, others require a recipe, a corpus, a voice or speech; they have tests
# of their own.
LEFT_OUT = {"bench", "import-piper", "init", "new-recipe", "pseudo-label"}
LEFT_OUT |= {"export", "replace-decoder", "report", "summarize-blind"}
# These require another teacher than a FastSpeech2 of one speaker.
OTHER_TEACHERS = {"--speaker", "exp/tts_joint", "exp/vits_small"}
RUN = {
    " ".join(words[1:]): words[1:]
    for _, words in (case.values for case in ALL)
    if words[0] == "espnet-distill" and words[1] not in LEFT_OUT
    if not OTHER_TEACHERS & {*words}
}


@pytest.mark.slow
@pytest.mark.parametrize("words", RUN.values(), ids=list(RUN))
def test_a_command_does_something(words, project, capsys):
    if "resemblyzer" in words:
        pytest.importorskip("resemblyzer")
    if "moonshine" in words:
        pytest.importorskip("moonshine_cpp")
    if "prepare-text" in words:
        pytest.importorskip("espeakng_loader")
    assert cli.main(words) == 0
    assert capsys.readouterr().out


@pytest.mark.slow
def test_it_trains_in_a_process_of_its_own(site, corpus, teacher, tmp_path):
    config = tiny(corpus, teacher, tmp_path / "train.yaml")
    program = ["-m", "espnet_distill", "-m", "espnet2.bin.tts_train"]
    options = corpus.training(config, tmp_path / "exp")
    paths = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths}
    done = run_python(*program, *options, env=environment)
    assert done.returncode == 0, done.stderr
    assert "distill_melchange" in done.stderr


def test_the_plots_are_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["plots.py", str(tmp_path)])
    runpy.run_path(str(ROOT / "docs/plots.py"), run_name="__main__")
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {path.name for path in ROOT.glob("docs/*.svg")}
