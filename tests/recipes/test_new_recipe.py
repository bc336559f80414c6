"""`espnet-distill new-recipe`: what it chooses, and what it writes."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
import yaml

from espnet_distill.data.f0_range import measure_f0_range
from espnet_distill.data.front_end import FrontEnd
from espnet_distill.errors import ConfigError
from espnet_distill.recipes.corpus import Corpus, choose_rate
from espnet_distill.recipes.corpus_front_end import choose_front_end
from espnet_distill.recipes.new_recipe import new_recipe
from espnet_distill.recipes.sizes import choose_sizes

from ..bad_input import tone
from ..conftest import RATE
from .mini_an4 import ROOT

US = "espeak_ng_english_us_vits"


@pytest.fixture
def corpus(tmp_path):
    """A function that writes a corpus of tones, and returns metadata and recordings."""

    def write(place="corpus", count=30, long=0):
        (tmp_path / place / "wavs").mkdir(parents=True)
        lines = []
        for number in range(count):
            name = tmp_path / f"{place}/wavs/c{number:02}.flac"
            wave = tone(20.5 if number < long else 0.5 + number / 100)
            soundfile.write(name, wave, RATE)
            lines.append(f"c{number:02}|raw|A number, {number}.\n")
        path = tmp_path / place / "metadata.csv"
        path.write_text("".join(lines), "utf-8")
        return path, path.with_name("wavs")

    return write


def passed_on(recipe):
    """Return the options that run.sh passes to distill.sh."""
    return dict(
        re.findall(r"^    --(\w+) (\S+) \\$", (recipe / "run.sh").read_text(), re.M)
    )


def test_what_is_written(corpus, tmp_path):
    recipe = tmp_path / "egs/tones/tts1"
    metadata, wavs = corpus("my corpus", long=2)
    report = new_recipe(recipe, metadata, wavs, "none", language="en", steps=40)
    assert report[0] == "28 clips, 0.01 h at 16000 Hz, 2 above 20 s left out"
    assert report[1] == "22 train, 2 validate, 4 are held out"
    written = {str(path.relative_to(recipe)) for path in recipe.rglob("*.*")}
    assert written == {
        *("run.sh", "path.sh", "cmd.sh", "db.sh", "jobs.sh", "link_espnet.sh"),
        *("local/data.sh", "conf/train_teacher.yaml", "conf/train_student.yaml"),
        "README.md",
    }
    for name in ("run.sh", "local/data.sh", "db.sh"):
        assert subprocess.run(["bash", "-n", recipe / name]).returncode == 0
        assert "@" not in (recipe / name).read_text().replace('"$@"', "")
    assert "@" not in (recipe / "README.md").read_text()
    options = passed_on(recipe)
    assert options["fs"] == "16000" and options["fmax"] == "8000"
    assert options["token_type"] == "char" and options["cleaner"] == "tacotron"
    assert options["vocoder_preset"] == "harmonic_istft_small"
    assert options["vocoder_speech"] == "recordings"
    assert int(options["f0min"]) <= 100 and int(options["f0max"]) >= 140
    db = f'. {recipe}/db.sh; ls "${{METADATA}}" "${{WAVS}}"'
    assert subprocess.run(["bash", "-c", db], capture_output=True).returncode == 0
    teacher = yaml.safe_load((recipe / "conf/train_teacher.yaml").read_text())
    assert teacher["scheduler_conf"]["warmup_steps_list"] == [0, 2, 20, 40]
    assert teacher["num_iters_per_epoch"] * teacher["max_epoch"] == 40
    student = yaml.safe_load((recipe / "conf/train_student.yaml").read_text())
    assert student["scheduler_conf"]["total_steps"] == 12
    assert student["feats_extract_conf"] == {"log_base": None}


def test_an_empty_folder_is_taken_and_nothing_else(corpus, tmp_path):
    given = corpus()
    (tmp_path / "empty").mkdir()
    new_recipe(tmp_path / "empty", *given, "none", language="en")
    assert (tmp_path / "empty/run.sh").is_file()
    with pytest.raises(ConfigError, match="exists and is not empty"):
        new_recipe(tmp_path / "empty", *given, "none", language="en")


def test_a_template_of_the_recipe_is_checked_by_shellcheck(corpus, tmp_path):
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck")
    new_recipe(tmp_path / "new", *corpus(), "none", language="en")
    scripts = [tmp_path / "new/run.sh", tmp_path / "new/local/data.sh"]
    done = subprocess.run(
        ["shellcheck", "-e", "SC1091,SC2154", *scripts], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "g2p, language, front_end",
    [
        ("espeak_ng_german", None, FrontEnd("phn", None, None, "de", "de")),
        ("espeak_ng_french", "fr-be", FrontEnd("phn", None, None, "fr", "fr-be")),
        ("espeak_ng", "pt-br", FrontEnd("phn", None, None, "pt", "pt-br")),
        ("espeak_ng", "en-us", FrontEnd("phn", US, None, "en")),
        (US, None, FrontEnd("phn", US, None, "en")),
        ("korean_jaso", None, FrontEnd("phn", "korean_jaso", None, "ko")),
        ("none", "de", FrontEnd("char", None, None, "de")),
        ("none", "en", FrontEnd("char", None, "tacotron", "en")),
    ],
)
def test_the_front_end(g2p, language, front_end):
    if g2p.startswith("espeak"):
        pytest.importorskip("espeakng_loader")
    assert choose_front_end(g2p, language) == front_end


@pytest.mark.parametrize("hertz, bounds", [(110, (70, 190)), (220, (150, 370))])
def test_the_range_of_a_glide_around_a_frequency(hertz, bounds, tmp_path):
    """Octave errors of a few clips change nothing."""
    time = np.arange(RATE) / RATE
    phase = 2 * np.pi * hertz * (time + 0.02 * np.sin(2 * np.pi * time))
    for number in range(12):
        octave = 2 if number == 0 else 1
        wave = sum(np.sin(octave * k * phase) / k for k in range(1, 9))
        soundfile.write(tmp_path / f"{number:02}.wav", 0.2 * wave, RATE)
    lowest, highest = measure_f0_range(sorted(tmp_path.iterdir()))
    assert abs(lowest - bounds[0]) <= 10 and abs(highest - bounds[1]) <= 20


@pytest.mark.parametrize(
    "rate, given, chosen",
    [
        (16000, None, 16000),
        (22050, None, 22050),
        (24000, None, 24000),
        (44100, None, 22050),
        (48000, None, 22050),
        (48000, 24000, 24000),
        (20000, None, 16000),
    ],
)
def test_the_sampling_rate(rate, given, chosen):
    assert choose_rate(Corpus([], 0, 1.0, rate, (80, 400)), given) == chosen


@pytest.mark.parametrize(
    "hours, adim, student, steps",
    [
        (0.01, 192, "fastspeech2_small", (600, 200, 300)),
        (1.0, 192, "fastspeech2_small", (3000, 1000, 600)),
        (9.0, 256, "fastspeech2_base", (9000, 3000, 1800)),
        (24.0, 384, "fastspeech2_base", (14700, 4900, 2939)),
        (2000.0, 384, "fastspeech2_base", (30000, 10000, 6000)),
    ],
)
def test_sizes_and_steps(hours, adim, student, steps):
    sizes = choose_sizes(hours)
    assert (sizes.adim, sizes.student) == (adim, student)
    assert (sizes.teacher_steps, sizes.student_steps, sizes.align_steps) == steps
    assert (ROOT / f"conf/students/{student}.yaml").is_file()
