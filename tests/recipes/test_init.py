"""`espnet-distill init` on copies of ESPnet's own recipes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import yaml

from espnet_distill.cli import main as cli
from espnet_distill.errors import ConfigError
from espnet_distill.recipes.init import SCRIPT, STUDENT, init
from espnet_distill.recipes.run_sh import options_of
from espnet_distill.utils.espnet_root import espnet_root

from ..conftest import files
from ..wheel import install

ESPNETS = {  # what its run.sh passes to tts.sh, read by eye
    "ljspeech": {"fs": "22050", "n_shift": "256", "g2p": "g2p_en_no_space"},
    "vctk": {"fs": "24000", "win_length": "1200", "cleaner": "tacotron"},
    "jsut": {"n_fft": "2048", "g2p": "pyopenjtalk", "cleaner": "jaconv"},
    "mini_an4": {"train_set": "train_nodev", "test_sets": "'test test_seg'"},
}
FEATURES = {"fs": 16000, "n_fft": 512, "hop_length": 128, "win_length": None}
FEATURES |= {"n_mels": 80, "fmin": 0, "fmax": 8000, "log_base": None}


def copy_recipe(corpus, root):
    """Copy a recipe of ESPnet's, and link its dependencies in ESPnet's tree."""
    espnet = espnet_root()
    for kind in ("tts1", "asr1") if corpus == "mini_an4" else ("tts1",):
        place = f"egs2/{corpus}/{kind}"
        shutil.copytree(espnet / place, root / place, symlinks=True)
    for name in ("tools", "egs2/TEMPLATE"):
        (root / name).symlink_to(espnet / name)
    return root / f"egs2/{corpus}/tts1"


def contents(folder):
    return {
        name: (folder / name).read_bytes()
        for name in files(folder)
        if (folder / name).is_file()
    }


def passed_on(recipe):
    """Return the options that run_distill.sh passes to distill.sh."""
    lines = (recipe / SCRIPT).read_text().splitlines()
    pairs = (line.strip().rstrip("\\").split(maxsplit=1) for line in lines)
    return {
        pair[0].removeprefix("--"): pair[1].strip()
        for pair in pairs
        if len(pair) == 2 and pair[0].startswith("--")
    }


def add_experiment(recipe, name, tts, time, **changes):
    """Write the files of a finished training that `init` uses."""
    folder = recipe / "exp" / name
    folder.mkdir(parents=True)
    data = [["dump/raw/tr/text", "text", "text"], *changes.pop("data", [])]
    config = {
        "tts": tts,
        "tts_conf": {},
        "token_type": "char",
        "cleaner": None,
        "g2p": "g2p_en",
        "feats_extract_conf": FEATURES,
        "train_data_path_and_name_and_type": data,
        "valid_data_path_and_name_and_type": [["dump/raw/cv/text", "text", "text"]],
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config | changes))
    (folder / "train.loss.ave.pth").touch()
    os.utime(folder / "train.loss.ave.pth", (time, time))
    return folder


def run(script, *options, folder, programs=(), **environment):
    """Call a script of a recipe, with this interpreter's programs."""
    path = ":".join(map(str, [*programs, Path(sys.executable).parent]))
    environment = os.environ | {"PATH": f"{path}:{os.environ['PATH']}"} | environment
    return subprocess.run(
        [script, *map(str, options)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("corpus", ESPNETS)
def test_espnets_recipes_get_a_placeholder_and_nothing_else_changes(
    corpus, tmp_path, capsys
):
    recipe = copy_recipe(corpus, tmp_path)
    before = contents(recipe)
    assert cli.main(["init", str(recipe)]) == 0
    assert "teacher: none trained yet" in capsys.readouterr().out
    after = contents(recipe)
    assert set(after) - set(before) == {str(SCRIPT), str(STUDENT)}
    assert {name: after[name] for name in before} == before
    assert b"# PLACEHOLDER: no trained teacher" in after[str(SCRIPT)]
    assert ESPNETS[corpus].items() <= passed_on(recipe).items()
    assert cli.main(["init", str(recipe)]) == 0
    assert contents(recipe) == after


def test_without_a_teacher_the_script_refuses_in_a_line(tmp_path):
    recipe = copy_recipe("mini_an4", tmp_path)
    init(recipe)
    done = run("./run_distill.sh", folder=recipe)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "name a --teacher" in done.stderr
    assert not (recipe / "data").exists()


def test_a_vits_is_a_teacher_without_objectives(tmp_path):
    recipe = copy_recipe("ljspeech", tmp_path)
    conf = {"sampling_rate": 44100, "generator_params": {"spks": 9}}
    add_experiment(recipe, "tts_vits", "vits", 1e9, tts_conf=conf)
    lines = init(recipe)
    offered = '/replace_decoder.sh" --teacher exp/tts_vits --out exp/tts_vits_small'
    assert any(line.endswith(offered) for line in lines)
    assert "\nteacher=exp/tts_vits\n" in (recipe / SCRIPT).read_text()
    assert passed_on(recipe)["fs"] == "44100"
    student = yaml.safe_load((recipe / STUDENT).read_text())
    assert "student_features" not in passed_on(recipe)
    assert student["tts_conf"]["spks"] == 9 and "distill_conf" not in student


@pytest.mark.parametrize("kind", ["vits", "jets"])
@pytest.mark.parametrize("given", [{}, {"spks": -1, "langs": -1, "spk_embed_dim": -1}])
def test_the_student_of_one_speaker_is_one_of_latents(given, kind, tmp_path):
    recipe = copy_recipe("ljspeech", tmp_path)
    conf = {"sampling_rate": 22050, "generator_params": given}
    add_experiment(recipe, "tts_vits", kind, 1e9, tts_conf=conf)
    init(recipe)
    assert passed_on(recipe)["student_features"] == "latents"
    assert passed_on(recipe)["vocoder_preset"] == "harmonic_istft_small"
    student = yaml.safe_load((recipe / STUDENT).read_text())
    assert student["tts"] == "fastspeech" and "pitch_extract" not in student


@pytest.mark.parametrize(
    "kind, given, features",
    [
        ("vits", {"generator_params": {"spks": 9}}, "latents"),
        ("vits", {"generator_params": {"spks": 9, "langs": 2}}, None),
        ("fastspeech2", {"spks": 9}, None),
    ],
)
def test_the_student_of_a_named_speaker_has_no_speakers(
    kind, given, features, tmp_path
):
    recipe = copy_recipe("ljspeech", tmp_path)
    conf = {"sampling_rate": 22050} if kind == "vits" else {}
    data = [["dump/raw/tr/utt2sid", "sids", "text_int"]]
    add_experiment(recipe, "tts_several", kind, 1e9, tts_conf=conf | given, data=data)
    assert cli.main(["init", str(recipe), "--speaker", "p225"]) == 0
    passed = passed_on(recipe)
    assert (passed["speaker"], passed["tts_opts"]) == ("p225", "'--use_sid true'")
    assert passed.get("student_features") == features
    student = yaml.safe_load((recipe / STUDENT).read_text())
    assert "spks" not in student["tts_conf"]


def test_a_speaker_of_no_teacher_of_several_is_refused(tmp_path, capsys):
    recipe = copy_recipe("ljspeech", tmp_path)
    command = ["init", str(recipe), "--speaker", "p225"]
    assert cli.main(command) == 2
    assert "tts1 has no trained teacher" in capsys.readouterr().err
    add_experiment(recipe, "tts_one", "vits", 1e9, tts_conf={"sampling_rate": 22050})
    assert cli.main(command) == 2
    assert "exp/tts_one has one speaker; leave --speaker out" in capsys.readouterr().err
    assert not (recipe / SCRIPT).exists()


def test_latest_supported_experiment_is_the_teacher(tmp_path):
    recipe = copy_recipe("ljspeech", tmp_path)
    add_experiment(recipe, "tts_old", "tacotron2", 1e9)
    data = [
        ["dump/raw/tr/utt2sid", "sids", "text_int"],
        ["dump/xvector/tr/xvector.scp", "spembs", "kaldi_ark"],
    ]
    add_experiment(recipe, "tts_new", "prodiff", 1.1e9, tts_conf={"spks": 9}, data=data)
    add_experiment(recipe, "tts_own", "own_tts", 1.2e9)
    add_experiment(recipe, "tts_student", "fastspeech2", 1.3e9)
    (recipe / "exp/tts_student/distill.yaml").touch()
    add_experiment(recipe, "tts_begun", "fastspeech2", 1.4e9)
    (recipe / "exp/tts_begun/train.loss.ave.pth").unlink()
    init(recipe)
    script = (recipe / SCRIPT).read_text()
    assert "\nteacher=exp/tts_new\n" in script
    assert "# Other teacher: exp/tts_old (tacotron2, 2001-09-09)" in script
    assert "# Not supported: exp/tts_own (own_tts, 2008-01-10)" in script
    assert "tts_student" not in script and "tts_begun" not in script
    expected = {"fs": "16000", "n_shift": "128", "fmin": "0", "win_length": "null"}
    expected |= {"token_type": "char", "cleaner": "none", "train_set": "tr"}
    expected |= {"valid_set": "cv", "test_sets": "'dev eval1'"}
    options = passed_on(recipe)
    assert expected.items() <= options.items()
    tts_opts = "'--use_sid true --use_spk_embed true --spk_embed_tag xvector'"
    assert options["tts_opts"] == tts_opts
    student = yaml.safe_load((recipe / STUDENT).read_text())
    assert student["tts"] == "fastspeech2" and student["tts_conf"]["spks"] == 9
    assert student["feats_extract_conf"] == {"log_base": None}
    objectives = student["distill_conf"]["objectives"]
    assert [one.get("tap", one["type"]) for one in objectives] == [
        *("mel", "encoder", "duration", "pitch", "energy")
    ]


def test_init_keeps_the_teachers_sentencepieces(tmp_path):
    recipe = copy_recipe("ljspeech", tmp_path)
    pieces = {"token_type": "bpe", "bpemodel": "data/bpe.model"}
    add_experiment(recipe, "tts_bpe", "fastspeech2", 1e9, **pieces)
    init(recipe)
    assert pieces.items() <= passed_on(recipe).items()


def test_existing_script_is_kept_when_a_teacher_appears(tmp_path):
    recipe = copy_recipe("ljspeech", tmp_path)
    init(recipe)
    before = (recipe / SCRIPT).read_bytes()
    add_experiment(recipe, "tts_train", "fastspeech2", 1e9)
    lines = init(recipe)
    assert lines[0] == "teacher: exp/tts_train (fastspeech2)"
    assert lines[-1].endswith("add to it: teacher=exp/tts_train")
    assert (recipe / SCRIPT).read_bytes() == before


def test_prepared_data_are_taken_as_they_are(tmp_path):
    recipe = copy_recipe("ljspeech", tmp_path)
    add_experiment(recipe, "tts_train", "fastspeech2", 1e9)
    (recipe / "dump/raw/tr").mkdir(parents=True)
    (recipe / "dump/raw/tr/text").touch()
    init(recipe)
    assert "\nstage=2 " in (recipe / SCRIPT).read_text()


def test_nothing_is_written_through_a_link_that_leads_out(tmp_path):
    recipe = copy_recipe("jsut", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (recipe / "conf").rename(tmp_path / "conf")
    for name in ("conf", "conf/distill"):
        if name == "conf/distill":
            (recipe / "conf").unlink()
            (tmp_path / "conf").rename(recipe / "conf")
        (recipe / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ConfigError, match="links out of the recipe"):
            init(recipe)
        assert files(tmp_path / "elsewhere") == []
        assert not (recipe / SCRIPT).exists()


def test_folder_without_recipe_is_refused(tmp_path, capsys):
    assert cli.main(["init", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"espnet-distill init: error: {tmp_path}: no tts.sh")
    assert error.count("\n") == 1


def test_options_that_run_sh_leaves_open(tmp_path):
    run_sh = tmp_path / "run.sh"
    run_sh.write_text(
        'fs=24000\nset="a b"\nif x; then g2p=one; else g2p=two; fi\n'
        "opts=\nif x; then\n    opts='--n_fft 1'\nelse\n    opts='--n_fft 2'\nfi\n"
        "more='--fmin 80 --fmax 7600'\n# ./tts.sh --fs 1\n"
        './tts.sh --fs "${fs}" --test_sets "${set}" --g2p "$g2p" ${opts} \\\n'
        '    --n-mels $(nproc) ${more} --srctexts "data/${fs}/text" "$@"\n'
    )
    assert options_of(run_sh) == {
        "fs": "24000",
        "test_sets": "a b",
        "fmin": "80",
        "fmax": "7600",
        "srctexts": "data/24000/text",
    }


SPH2PIPE = """#!/usr/bin/env python3
import io, sys, soundfile
wav = io.BytesIO()
soundfile.write(wav, *soundfile.read(sys.argv[-1]), format="WAV")
sys.stdout.buffer.write(wav.getvalue())
"""


@pytest.mark.slow
def test_a_wheel_distils_in_a_recipe_of_espnets(tmp_path, wheel):
    """The teacher is trained by ESPnet; the source tree is not accessible."""
    programs = install(wheel, tmp_path / "installed")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sph2pipe").write_text(SPH2PIPE)
    (tmp_path / "bin/sph2pipe").chmod(0o755)
    recipe = copy_recipe("mini_an4", tmp_path)
    place = {
        "folder": recipe,
        "programs": [programs, tmp_path / "bin"],
        "PYTHONPATH": "",
    }
    text = "--token_type char --cleaner none --g2p none"
    stages = f"--ngpu 0 --stage 1 --stop_stage 7 {text}"
    done = run("./run.sh", *stages.split(), **place)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    done = run("espnet-distill", "init", ".", **place)
    assert "teacher: exp/tts_train_tacotron2_debug_raw_char (tacotron2)" in done.stdout
    before = contents(recipe / "conf") | contents(recipe / "dump")
    short = "--num_iters_per_epoch 2 --max_epoch 1 --batch_size 2"
    options = "--num_threads 1 --align_steps 20 --stop_stage 7".split()
    done = run("./run_distill.sh", *options, "--student_args", short, **place)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    for name in ("test", "test_seg"):
        wavs = sorted((recipe / "exp/student/student_decode").glob(f"{name}/wav/*.wav"))
        assert len(wavs) == 2
        assert all(soundfile.info(wav).samplerate == 16000 for wav in wavs)
    after = contents(recipe / "conf") | contents(recipe / "dump")
    assert {name: after[name] for name in before} == before
