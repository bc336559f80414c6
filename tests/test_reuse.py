"""Results are reused only for unchanged inputs.

Each place of reuse is a line of REUSES. Its test changes one input at a time, and sees
the result made again or refused; with none changed it is used as it is.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_distill.bin import dump_teacher as dump
from espnet_distill.bin import dump_waves
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.cache import DiskCache
from espnet_distill.experiments.archive import unpack
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.identity import require_made_from
from espnet_distill.experiments.unpack import adopt
from espnet_distill.pruning.post_training import compact as compaction
from espnet_distill.pruning.post_training import comparison
from espnet_distill.recipes import made_from
from espnet_distill.recipes.keys import statistics_key
from espnet_distill.recipes.student_training import compact_student, init_student
from espnet_distill.students import derive as derivation

from .conftest import FEATURES, RATE
from .recipes.run_options import layout, run_options
from .vocoders.big import save_hifigan

SCRIPTS = Path(__file__).parents[1] / "egs/TEMPLATE/tts1"
CHECKPOINT = "train.loss.ave.pth"


@dataclass(frozen=True)
class Reuse:
    """A place where an earlier result is used again.

    Attributes:
        place: What uses it.
        kept: The result.
        key: The inputs whose content it is found by.
        otherwise: What happens if one differs.
    """

    place: str
    kept: str
    key: tuple[str, ...]
    otherwise: str = "made again"


SPEECH = (
    *("checkpoint", "config.yaml", "sentencepiece model", "vocoder's checkpoint"),
    *("vocoder's configuration", "vocoder's statistics", "texts", "recordings"),
    *("speaker and language ids", "options of tts.sh", "noise of a VITS"),
)
STATISTICS = (
    *("text", "recordings", "durations", "latents", "tokens"),
    *("settings of the features", "the student's extractors"),
)
MODEL = ("checkpoint", "config.yaml")
DATA = ("text", "recordings", "durations", "pitch and energy", "ids", "embeddings")
REUSES = [
    Reuse("distill.sh, stages 3, 7, 12", "speech in `<exp>/<inference_tag>`", SPEECH),
    Reuse(
        "distill.sh, stages 4 to 6",
        "statistics in `stats_dir`",
        STATISTICS,
        "refused: run stage 3",
    ),
    Reuse(
        "distill.sh, stage 6",
        "the student's training",
        STATISTICS,
        "refused: another --student_tag",
    ),
    Reuse(
        "distill.sh, after stage 3",
        "pseudo-labels of `--pseudo_label_text`",
        ("the file's lines",),
        "refused: run stage 3",
    ),
    Reuse(
        "distill.sh, stage 6",
        "`<student>/warm_start`",
        ("teacher's checkpoint", "teacher's config.yaml", "student's tts and tts_conf"),
        "made again; refused once the training has begun",
    ),
    Reuse(
        "distill.sh, after stage 6",
        "`<student>_compact`",
        (*MODEL, "statistics", "sentencepiece model"),
    ),
    Reuse(
        "a training that is resumed",
        "checkpoint.pth",
        (
            *("teachers' checkpoints", "teachers' config.yaml", "objectives"),
            *("settings of callbacks", "student's shapes"),
        ),
        "refused",
    ),
    Reuse(
        "a vocoder's training that is resumed",
        "checkpoint.pth",
        ("waves of both sets, by their dumps' keys", "objectives", "shapes"),
        "refused",
    ),
    Reuse(
        "espnet_distill.bin.dump_teacher",
        "taps of a teacher",
        (*MODEL, *DATA),
        "refused",
    ),
    Reuse(
        "a training from a dump",
        "taps of a teacher",
        (*MODEL, *DATA, "size of each file"),
        "refused",
    ),
    Reuse(
        "espnet_distill.bin.dump_waves",
        "waves, mels and F0",
        (
            *("vocoder's checkpoint, configuration and statistics", "settings of mels"),
            *("range of F0", "recordings", "mels in their place"),
        ),
        "refused",
    ),
    Reuse(
        "evaluate",
        "scores, in `cache/`",
        ("speech", "recording", "metric, its package's version, or weights"),
    ),
    Reuse("evaluate", "speech that distill.sh has made", MODEL, "refused"),
    Reuse("unpack, and packed teachers", "the unpacked model", ("the archive",)),
    Reuse("unpack of a tag", "link and config.yaml", MODEL),
    Reuse(
        "pruning.sh",
        "`cut_low-rank_…`",
        (*MODEL, "pressure", "text", "recordings", "durations"),
    ),
    Reuse(
        "pruning.sh, ablation.sh",
        "students that are trained",
        ("student_config", "initial weights", "options of run.sh"),
        "refused: another --tag",
    ),
    Reuse("espnet-root", "ESPnet's recipes in the cache", ("version of ESPnet",)),
]


def table() -> str:
    """The places as docs/reliability.md has them."""
    lines = ["| place | what is kept | found by the content of | if one differs |"]
    lines.append("|---|---|---|---|")
    lines += [
        f"| {item.place} | {item.kept} | {', '.join(item.key)} | {item.otherwise} |"
        for item in REUSES
    ]
    return "\n".join(lines) + "\n"


def append(path: Path, text: str = "\n") -> None:
    """Change a file, but not its time or, of a WAV file, its size."""
    stat = path.stat()
    content = bytearray(path.read_bytes())
    if path.suffix in (".wav", ".pth", ".npy"):
        content[-1] ^= 1
    else:
        content += text.encode()
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


# The key that recipes keep beside a result


@pytest.fixture
def inputs(tmp_path, monkeypatch, teacher):
    """The inputs of a synthesis, and the options that name them."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(teacher, "exp")
    conf = yaml.safe_load(Path("exp/config.yaml").read_text())
    conf["bpemodel"] = "bpe.model"
    Path("exp/config.yaml").write_text(yaml.safe_dump(conf))
    Path("vocoder").mkdir()
    vocoder = save_hifigan(tmp_path / "vocoder", FEATURES, [8, 16])
    for name in ("bpe.model", "text", "utt2sid", "decode.yaml", "vocoder/stats.h5"):
        Path(name).write_text("a 1\n")
    soundfile.write("a.wav", np.zeros(100), RATE)
    Path("wav.scp").write_text("a a.wav\n")
    return [
        *("--experiment", f"exp/{CHECKPOINT}", "--vocoder", "vocoder", str(vocoder)),
        *("--file", "text", "text", "--file", "utt2sid", "utt2sid"),
        *("--listed", "wav.scp", "wav.scp"),
        *("--words", "options", "tts.sh --inference_config decode.yaml"),
        *("--keys", "model", "exp/config.yaml", "tts,tts_conf"),
    ]


def key_of(options, capsys):
    assert made_from.main(options) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "changed",
    [
        *(f"exp/{CHECKPOINT}", "exp/config.yaml", "bpe.model", "text", "utt2sid"),
        *("a.wav", "wav.scp", "decode.yaml", "vocoder/stats.h5", "vocoder/config.yml"),
        "vocoder/checkpoint.pkl",
    ],
)
def test_each_input_changes_the_key(inputs, capsys, changed):
    before = key_of(inputs, capsys)
    assert key_of(inputs, capsys) == before
    append(Path(changed), "b 1\n" if changed == "text" else "# \n")
    assert key_of(inputs, capsys) != before


def test_other_options_change_the_key_and_other_paths_do_not(inputs, capsys, tmp_path):
    before = key_of(inputs, capsys)
    other = [word.replace("decode.yaml", "decode.yaml --speed 2") for word in inputs]
    assert key_of(other, capsys) != before
    shutil.copytree("exp", "moved")
    moved = [word.replace("exp/", "moved/") for word in inputs]
    assert key_of(moved, capsys) == before


def test_only_the_named_keys_of_a_configuration_count(tmp_path, capsys):
    path = tmp_path / "train.yaml"
    found = []
    for conf in ({}, {"max_epoch": 3}, {"tts_conf": {"adim": 8}}):
        path.write_text(yaml.safe_dump({"tts": "fastspeech2"} | conf))
        found.append(key_of(["--keys", "model", str(path), "tts,tts_conf"], capsys))
    assert found[0] == found[1] != found[2]


def test_a_missing_checkpoint_is_one_line(capsys):
    assert made_from.main(["--experiment", "no/model.pth"]) == 2
    assert capsys.readouterr().err.startswith(
        "made_from: error: no/config.yaml: no such file"
    )


# The functions of recipes that ask for it


STUBS = """
set -euo pipefail
log() { :; }
fail() { echo "fail: $*"; exit 2; }
run_tts() { echo made; mkdir -p "exp/decode"; }
espnet-distill() { echo made; mkdir -p "$3"; }
step() { command espnet-distill recipe-step "$@" OPTIONS; }
speech_sets=eval inference_tag=decode vocoder_file=vocoder/checkpoint.pkl
train_set=train expdir=exp root=. options=""
is_synthesized=false teacher_model=none
"""
RUN = {
    "test_sets": "eval",
    "vocoder_file": "vocoder/checkpoint.pkl",
    "tts_opts": "--use_sid true",
    "stats_dir": "stats",
    "teacher": f"exp/{CHECKPOINT}",
    "token_type": "bpe",
    "cleaner": "none",
    "valid_set": "eval",
}


def functions_of(script: str, *names: str) -> str:
    text = (SCRIPTS / script).read_text()
    found = [re.search(rf"^{name}\(\) {{.*?^}}$", text, re.S | re.M) for name in names]
    return "\n".join(match.group() for match in found)


def call(script: str, names: tuple[str, ...], command: str) -> tuple[int, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    stubs = STUBS.replace("OPTIONS", shlex.join(run_options(**RUN)))
    text = "\n".join([stubs, functions_of(script, *names), command])
    environment = os.environ | {"PATH": path}
    done = subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, env=environment
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def recipe(inputs):
    for name in ("raw/eval", "raw/train"):
        folder = Path("dump", name)
        folder.mkdir(parents=True)
        for file in ("text", "utt2sid", "wav.scp"):
            shutil.copy(file, folder)
    Path("stats/train").mkdir(parents=True)
    Path("stats/train/feats_stats.npz").write_text("statistics")
    Path("exp/alignment/train").mkdir(parents=True)
    Path("exp/alignment/train/durations").write_text("a 1\n")
    Path("exp/images").mkdir()
    Path("dump/token_list/bpe").mkdir(parents=True)
    for name in ("bpe.model", "tokens.txt"):
        Path("dump/token_list/bpe", name).write_text("a\n")
    shutil.copy("exp/config.yaml", "exp/student.yaml")
    Path("conf").mkdir()
    Path("conf/train_student.yaml").write_text("tts: fastspeech2\n")


STAGES = {
    "synthesize": (
        "distill.sh",
        ("synthesize",),
        f"synthesize exp/{CHECKPOINT}",
        [
            *(f"exp/{CHECKPOINT}", "dump/raw/eval/text", "dump/raw/eval/utt2sid"),
            *("a.wav", "vocoder/checkpoint.pkl"),
        ],
    ),
    "low rank": (
        "pruning.sh",
        ("factorize",),
        f"factorize 0.5 exp/{CHECKPOINT} cut; cat cut.log; rm cut.log",
        [f"exp/{CHECKPOINT}", "a.wav", "exp/alignment/train/durations"],
    ),
}


@pytest.mark.parametrize(
    "name, changed",
    [(name, path) for name, stage in STAGES.items() for path in (None, *stage[3])],
)
def test_a_recipe_makes_it_again_only_if_an_input_has_changed(recipe, name, changed):
    script, names, command, _ = STAGES[name]
    if name == "low rank":
        command = command.replace("; cat", "; touch cut.log; cat")
    assert call(script, names, command) == (0, "made\n")
    if changed:
        append(Path(changed), "# \n")
    assert call(script, names, command) == (0, "made\n" if changed else "")


class Made:
    """A result of `compact` or `derive`, whose folder gets a configuration only."""

    folders: list[Path] = []

    def save(self, out):
        out.mkdir()
        conf = {"normalize_conf": {"stats_file": "/else/feats_stats.npz"}}
        (out / "config.yaml").write_text(yaml.safe_dump(conf))
        self.folders.append(out)


@pytest.fixture
def calls(monkeypatch):
    """The folders of the results of `compact` and `derive`."""
    for module, name in ((compaction, "compact"), (derivation, "derive")):
        monkeypatch.setattr(module, name, lambda *_, **__: Made())
    for module, name in ((comparison, "compare"), (derivation, "describe")):
        monkeypatch.setattr(module, name, lambda *_, **__: "")
    monkeypatch.setattr(Made, "folders", [])
    return Made.folders


@pytest.mark.parametrize(
    "changed",
    [
        *(f"exp/{CHECKPOINT}", "exp/config.yaml", "stats/train/feats_stats.npz"),
        *("dump/token_list/bpe/bpe.model", None),
    ],
)
def test_a_student_is_compacted_again_only_if_an_input_has_changed(
    recipe, calls, changed
):
    run = layout(**RUN, expdir=".", student_tag="exp")
    compact_student(run)
    if changed:
        append(Path(changed), "# \n")
    compact_student(run)
    assert calls == [Path("exp_compact")] * (2 if changed else 1)
    conf = yaml.safe_load(Path("exp_compact/config.yaml").read_text())
    assert conf["normalize_conf"]["stats_file"] == "stats/train/feats_stats.npz"
    assert conf["bpemodel"] == "dump/token_list/bpe/bpe.model"


def test_a_student_without_plots_is_compacted(recipe, calls):
    """A training with `use_matplotlib: false` has no images."""
    shutil.rmtree("exp/images")
    run = layout(**RUN, expdir=".", student_tag="exp")
    compact_student(run)
    assert compact_student(run).startswith("Up to date")


def test_a_student_is_not_resumed_with_weights_of_another_teacher(recipe, calls):
    run = layout(**RUN, expdir=".", student_tag="exp")
    init_student(run)
    Path("exp/checkpoint.pth").touch()
    init_student(run)
    assert calls == [Path("exp/warm_start")]
    append(Path("exp", CHECKPOINT))
    with pytest.raises(ConfigError, match="exp: was begun with weights of another"):
        init_student(run)


def test_a_comparison_does_not_take_a_student_of_other_options(recipe):
    names = ("require_same_options",)
    ask = "require_same_options one --student_config exp/config.yaml --seed 1 {}"
    assert call("jobs.sh", names, ask.format("")) == (0, "")
    assert call("jobs.sh", names, ask.format("--vocoder_file other")) == (0, "")
    assert call("jobs.sh", names, ask.format("--lr 1")) == (0, "")  # not yet begun
    assert call("jobs.sh", names, ask.format("")) == (0, "")
    Path("one").mkdir()
    Path("one/checkpoint.pth").touch()
    status, message = call("jobs.sh", names, ask.format("--lr 1"))
    assert status == 2 and message.startswith("fail: ./one: was trained with other")
    append(Path("exp/config.yaml"), "# \n")
    assert call("jobs.sh", names, ask.format(""))[0] == 2


@pytest.mark.parametrize(
    "changed",
    [
        *("a.wav", "dump/raw/train/text", "exp/alignment/train/durations"),
        *("dump/token_list/bpe/tokens.txt", None),
    ],
)
def test_statistics_are_of_data_and_settings(recipe, changed):
    run = layout(**RUN)
    before = statistics_key(run)
    assert statistics_key(run) == before
    if changed:
        append(Path(changed), "b 1\n")
    else:
        run = layout(**RUN, fs="22050")
    assert statistics_key(run) != before


def test_statistics_of_latents_are_of_their_dump(recipe):
    for name in ("train", "eval"):
        speech = Path("exp/teacher_speech", name)
        speech.mkdir(parents=True)
        (speech / "a.npy").write_bytes(b"1")
        (speech / "latents.scp").write_text(f"a {speech}/a.npy\n")
    run = layout(**RUN, student_features="latents")
    before = statistics_key(run)
    assert before != statistics_key(layout(**RUN))
    append(Path("exp/teacher_speech/train/a.npy"), "2")
    assert statistics_key(run) != before


# Commands and programs


@pytest.mark.parametrize("changed", [None, CHECKPOINT, "config.yaml"])
def test_speech_of_another_model_is_not_measured(inputs, changed):
    model = Experiment(Path("exp", CHECKPOINT))
    Path("exp/decode").mkdir()
    require_made_from(Path("exp/decode"), model)  # made by tts.sh alone
    lines = (f"{name}: {value}\n" for name, value in model.identity.items())
    Path("exp/decode/made_from").write_text("".join(lines))
    if not changed:
        require_made_from(Path("exp/decode"), model)
        return
    append(Path("exp", changed), "# \n")
    with pytest.raises(ConfigError, match="exp/decode: was made with another c"):
        require_made_from(Path("exp/decode"), model)


def test_a_memo_that_is_truncated_is_measured_again(tmp_path):
    memo, results = DiskCache(tmp_path), iter(range(1000, 2000))
    assert memo(lambda: next(results), "mcd", "a") == 1000
    assert memo(lambda: next(results), "mcd", "a") == 1000
    assert memo(lambda: next(results), "mcd", "b") == 1001
    for path in tmp_path.rglob("*.json"):
        whole = path.read_bytes()
        for size in range(len(whole)):
            path.write_bytes(whole[:size])
            key = "a" if b"1000" in whole else "b"
            found = memo(lambda: next(results), "mcd", key)
            assert found > 1001 and memo(lambda: next(results), "mcd", key) == found
            whole = path.read_bytes()


def test_an_archive_of_equal_size_and_time_is_unpacked_anew(teacher, tmp_path):
    path, out = tmp_path / "packed.zip", tmp_path / "out"
    for number in range(2):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(
                "meta.yaml",
                "yaml_files: {train_config: exp/config.yaml}\n"
                f"files: {{model_file: exp/{CHECKPOINT}}}\n",
            )
            archive.write(teacher / "config.yaml", "exp/config.yaml")
            archive.writestr(f"exp/{CHECKPOINT}", f"weights {number}")
        os.utime(path, (1e9, 1e9))
        folder = unpack(path, out)
        (weights,) = folder.glob("*.pth")
        assert weights.read_text() == f"weights {number}"


def test_a_folder_of_ones_own_has_the_configuration_as_it_is_now(inputs):
    adopt("exp", Path("mine"))
    append(Path("exp/config.yaml"), "speed: 2\n")
    adopt("exp", Path("mine"))
    assert yaml.safe_load(Path("mine/config.yaml").read_text())["speed"] == 2


RACE = """
import os, shutil, sys
from pathlib import Path
from espnet2.main_funcs import pack_funcs
from espnet_distill.experiments.archive import unpack_into_cache
for _ in range(int(sys.argv[2])):
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                folder = unpack_into_cache(Path(sys.argv[1]))
                status = 0 if any(folder.glob("*.pth")) else 2
            finally:
                os._exit(status)
        children.append(child)
    assert not any([os.waitpid(child, 0)[1] for child in children])
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
"""


def test_processes_with_one_archive_and_a_cold_cache(teacher, tmp_path):
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w") as archive:
        meta = {"yaml_files": {"train_config": "exp/config.yaml"}}
        meta["files"] = {"model_file": f"exp/{CHECKPOINT}"}
        archive.writestr("meta.yaml", yaml.safe_dump(meta))
        for name in ("config.yaml", CHECKPOINT):
            archive.write(teacher / name, f"exp/{name}")
    done = subprocess.run(
        [sys.executable, "-c", RACE, path, "12"],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture
def data(corpus, teacher, tmp_path, monkeypatch):
    """A copy of a set whose files lie in the folder, and its teacher's."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(corpus.root / "valid", "data")
    shutil.copytree(teacher, "teacher")
    scp = Path("data/wav.scp")
    scp.write_text(scp.read_text().replace(str(corpus.root / "valid"), "data"))
    np.save("data/pitch.npy", np.zeros(3, np.float32))
    return corpus


def dump_teacher(data):
    config = data.config(Path("train.yaml"), teacher=["teacher"])
    given = ("text,text,text", "wav.scp,speech,sound", "durations,durations,text_int")
    options = [("--data_path_and_name_and_type", f"data/{item}") for item in given]
    common = ["--config", str(config), "--output_dir", "dump"]
    dump.main([*common, *sum(options, ()), "--key_file", "data/text"])


@pytest.mark.parametrize(
    "changed",
    [
        *(None, f"teacher/{CHECKPOINT}", "teacher/config.yaml", "data/text"),
        *("data/durations", "data/b1.wav"),
    ],
)
def test_a_teachers_dump_is_of_one_teacher_and_one_set_of_data(data, changed):
    dump_teacher(data)
    if changed is None:
        path = next(Path("dump/teacher/data").rglob("b1.npy"))
        before = path.stat().st_mtime_ns
        dump_teacher(data)
        assert path.stat().st_mtime_ns == before
        return
    if changed.endswith(".pth"):
        state = torch.load(changed, weights_only=True)
        state["tts.feat_out.bias"] += 1
        torch.save(state, changed)
    else:
        append(Path(changed), "# \n" if "config" in changed else "\n")
    with pytest.raises(ConfigError, match="holds taps of another teacher, of other"):
        dump_teacher(data)


@pytest.mark.parametrize(
    "changed", [None, "data/b1.wav", "vocoder/checkpoint.pkl", "vocoder/config.yml"]
)
def test_a_dump_of_waves_is_of_one_vocoder_and_its_recordings(data, changed, tmp_path):
    Path("vocoder").mkdir()
    vocoder = save_hifigan(tmp_path / "vocoder", FEATURES, [8, 16])

    def run():
        command = ["--config", "teacher/config.yaml", "--vocoder_file", str(vocoder)]
        command += ["--wav_scp", "data/wav.scp", "--output_dir", "waves"]
        dump_waves.main(command)

    run()
    path = Path("waves/wave/b1.wav")
    before = path.stat().st_mtime_ns
    if changed is None:
        run()
        assert path.stat().st_mtime_ns == before
        return
    if changed.endswith(".pkl"):
        state = torch.load(changed, weights_only=True)
        next(iter(state["model"]["generator"].values())).mul_(2)
        torch.save(state, changed)
    else:
        append(Path(changed), "# \n")
    with pytest.raises(ConfigError, match="waves of another vocoder, of other mels or"):
        run()


if __name__ == "__main__":
    print(table(), end="")
