"""Input that cannot work, one line a try: the table of docs/reliability.md.

Each try makes its input in a folder of its own and gives a command's arguments.
"""

import json
import math
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.evaluation.seed_summary import METRICS
from espnet_distill.vocoders.generators.registry import build_generator

from .conftest import FEATURES, PRODIFF, RATE, TOKENS, model_config
from .recipes.run_options import SCRIPTS, run_options
from .voice.tiny import RECORDED, make_voice

CHECKPOINT = "train.loss.ave.pth"
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
LATIN = "Stra\xdfe: \xfc\n".encode("latin-1")
PRUNE = {"type": "prune", "granularity": "unstructured", "pressure": 0.5, "end": 3}
ENGLISH_LETTERS = ("--g2p", "none", "--language", "en")
SCORES = "row,errors,words,dnsmos\nteacher,,,\n"
FIGURES = {"name": "teacher", **dict.fromkeys(key for _, _, key in METRICS.values())}
SEED = [FIGURES | {"name": name} for name in ("s_seed1", "s_seed1_compact")]
SMALL = 0.45  # pressure
LATENTS = b"{tts: vocoder, tts_conf: {latents: {fs: 8000}}}"
VOCODER = b"{tts: vocoder, tts_conf: {vocoder_type: istft_generator}}"


def tone(seconds=1.0):
    """A harmonic tone of 120 Hz, (samples,)."""
    phase = 2 * np.pi * 120 * np.arange(int(seconds * RATE)) / RATE
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, 9))


ESPEAK = ("espeakng_loader",)


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


class Place:
    """A folder in which things are made for a try.

    Attributes:
        root: The folder.
        corpus: What there is to train on.
        source: A trained teacher.
        disk: A full disk, or nearly.
    """

    def __init__(self, root: Path, corpus, teacher: Path, disk: Path | None = None):
        self.root = root
        self.disk = disk
        self.corpus = corpus
        self.source = teacher

    def file(self, name: str, content: str | bytes = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(content)
        return path

    def folder(self, name: str = "folder") -> Path:
        path = self.root / name
        path.mkdir(parents=True)
        return path

    def below_a_file(self) -> Path:
        """A place that nobody can write to, root neither."""
        return self.file("file") / "out"

    def teacher(self, name="teacher", config=None, checkpoint=None, **changes) -> Path:
        """A teacher; its files hold something else, or its configuration does."""
        folder = self.root / "exp" / name
        shutil.copytree(self.source, folder)
        path = folder / "config.yaml"
        if changes:
            conf = yaml.safe_load(path.read_text())
            for key, value in changes.items():
                conf[key] = conf[key] | value if isinstance(value, dict) else value
            path.write_text(yaml.safe_dump(conf))
        if config is not None:
            path.write_bytes(config)
        if checkpoint is not None:
            (folder / CHECKPOINT).write_bytes(checkpoint)
        return folder

    def several(self, **conf) -> Path:
        """A teacher of two speakers by its configuration and their ids."""
        data = [["dump/raw/train/utt2sid", "sids", "text_int"]]
        data = {"train_data_path_and_name_and_type": data}
        folder = self.teacher("several", tts_conf={"spks": 3} | conf, **data)
        (folder / "spk2sid").write_text("<unk> 0\nann 1\nbob 2\n")
        return folder

    def text2wav(self) -> Path:
        """A VITS by its configuration alone."""
        return self.teacher("vits", checkpoint=b"", tts="vits")

    def denoising(self, **conf) -> Path:
        """A training of a ProDiff that is pruned."""
        path = self.train([], callbacks=[PRUNE | conf], tts="prodiff")
        conf = yaml.safe_load(path.read_text()) | {"tts_conf": PRODIFF}
        path.write_text(yaml.safe_dump(conf))
        return path

    def truncated(self, share=0.5) -> Path:
        content = (self.source / CHECKPOINT).read_bytes()
        return self.teacher(checkpoint=content[: int(share * len(content))])

    def diverged(self, name="diverged", value=float("nan")) -> Path:
        """A teacher one weight of which is not finite."""
        folder = self.teacher(name)
        state = torch.load(folder / CHECKPOINT, weights_only=True)
        state["tts.feat_out.bias"][0] = value
        torch.save(state, folder / CHECKPOINT)
        return folder

    def statistics(self, **changes) -> Path:
        """Statistics of mels, some of whose numbers are others."""
        path = self.root / "feats_stats.npz"
        with np.load(self.corpus.stats("feats")) as stats:
            np.savez(path, **dict(stats) | changes)
        return path

    def voice(self, graph=1.0, settings=1.0, **changes) -> Path:
        """A voice; of its files, there is a share."""
        folder = make_voice(self.root / "voice", **changes)
        for name, share in (("voice.onnx", graph), ("voice.onnx.json", settings)):
            content = (folder / name).read_bytes()
            (folder / name).write_bytes(content[: int(share * len(content))])
        if not settings:
            (folder / "voice.onnx.json").unlink()
        return folder

    def piper(self, graph=b"", **changes) -> Path:
        """Settings of Piper's beside a file that is no graph of its."""
        settings = {
            "audio": {"sample_rate": RATE},
            "espeak": {"voice": "en-us"},
            "num_symbols": 4,
            "num_speakers": 1,
            "phoneme_id_map": {"_": [0], "^": [1], "$": [2], " ": [3]},
        }
        self.file("voice.onnx.json", json.dumps(settings | changes))
        return self.file("voice.onnx", graph)

    def bomb(self, name="teacher") -> Path:
        folder = self.teacher(name)
        torch.save({"tts.bomb": Bomb(self.root / "exploded")}, folder / CHECKPOINT)
        return folder

    def pruned(self) -> Path:
        folder = self.teacher("pruned")
        state = torch.load(folder / CHECKPOINT, weights_only=True)
        for name, tensor in state.items():
            if "feed_forward.w_1" in name:
                tensor[:8] = 0
            if "feed_forward.w_2.weight" in name:
                tensor[:, :8] = 0
        torch.save(state, folder / CHECKPOINT)
        return folder

    def vocoder(self) -> Path:
        """A vocoder's training."""
        folder = self.folder("exp/vocoder")
        mels = MelSpec.of_conf(FEATURES)
        conf = {"vocoder_type": "istft_generator", "vocoder_params": {"channels": 8}}
        generator = build_generator(conf, mels)
        weights = {
            f"tts.generator.{name}": value
            for name, value in generator.state_dict().items()
        }
        weights["normalize.mean"] = torch.zeros(mels.n_mels)
        weights["normalize.std"] = torch.ones(mels.n_mels)
        torch.save(weights, folder / CHECKPOINT)
        config = {"tts": "vocoder", "tts_conf": conf, "feats_extract_conf": FEATURES}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        return folder

    def attentive(self) -> Path:
        """An experiment of an autoregressive teacher, by its configuration alone."""
        folder = self.folder("exp/tacotron2")
        (folder / "config.yaml").write_text(yaml.safe_dump(model_config("tacotron2")))
        (folder / CHECKPOINT).touch()
        return folder

    def train(self, teacher=None, **changes) -> Path:
        """A training configuration, valid except for the given changes."""
        if not isinstance(teacher, list):
            teacher = [str(teacher or self.source)]
        changes = {"teacher": teacher} | changes
        return self.corpus.config(self.root / "train.yaml", **changes)

    def repeated(self, config: Path, line: str) -> Path:
        """A configuration with one line twice at its end."""
        config.write_text(f"{config.read_text()}\n{line}\n{line}\n")
        return config

    def learning(self, **conf) -> Path:
        return self.train(distill_conf=conf)

    def pruning(self, **conf) -> Path:
        return self.train(callbacks=[PRUNE | conf])

    def dump(self, **record) -> Path:
        """A dump by its manifests alone."""
        for name in ("train", "valid"):
            path = f"dump/{name}/teacher/manifest.yaml"
            self.file(path, yaml.safe_dump(record))
        return self.root / "dump"

    def data(self, **files) -> Path:
        """A data folder; some of its files hold something else."""
        folder = self.root / "data"
        shutil.copytree(self.corpus.root / "valid", folder)
        for name, content in files.items():
            self.file(f"data/{name.replace('_', '.')}", content)
        return folder

    def recorded(self, wave=None, rate=RATE, cut=1.0, **options) -> Path:
        """A data folder with another recording of b1; `cut` is the share kept."""
        folder = self.data()
        path, scp = folder / "b1.wav", folder / "wav.scp"
        soundfile.write(path, np.zeros(4000) if wave is None else wave, rate, **options)
        path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
        original = str(self.corpus.root / "valid" / "b1.wav")
        scp.write_text(scp.read_text().replace(original, str(path)))
        return folder

    def durations(self, b1: str) -> Path:
        """Durations of the data, those of b1 replaced."""
        rows = (self.corpus.root / "valid" / "durations").read_text().splitlines()
        return self.file("durations", f"b1 {b1}\n{rows[1]}\n")

    def listed(self, metadata: str | bytes, *recordings: str, **others) -> list:
        """Arguments of list-clips: a corpus in LJSpeech's layout."""
        self.file("corpus/metadata.csv", metadata)
        for name in recordings:
            self.file(f"corpus/wavs/{name}")
            soundfile.write(self.root / f"corpus/wavs/{name}", np.zeros(9), RATE)
        for name, content in others.items():
            self.file(f"corpus/wavs/{name}.wav", content)
        return [self.root / "corpus", OUT, "--speaker", "someone"]

    def recipe(self, g2p="espeak_ng_german", count=20, wave=None, **changes) -> list:
        """Arguments of new-recipe: a corpus of so many clips, its files changed."""
        lines = "".join(f"c{number}|Ein Satz.\n" for number in range(count))
        self.file("corpus/metadata.csv", changes.get("metadata", lines))
        self.folder("corpus/wavs")
        for number in range(changes.get("recordings", count)):
            path = self.root / f"corpus/wavs/c{number}.wav"
            soundfile.write(path, tone() if wave is None else wave, RATE)
        options = ["--metadata", self.root / "corpus/metadata.csv"]
        return [OUT, *options, "--wavs", self.root / "corpus/wavs", "--g2p", g2p]

    def synthesized(self, **files) -> Path:
        """Write a decode folder as stage 8 does."""
        folder = self.folder("decoded/valid")
        found = {"durations": "b1 3 4\nb2 5 6\n", "focus_rates": "b1 0.9\nb2 0.8\n"}
        for name, content in (found | files).items():
            if content is not None:
                self.file(f"decoded/valid/{name}", content)
        scp = ""
        for name in ("b1", "b2"):
            wav = folder / "wav" / f"{name}.wav"
            wav.parent.mkdir(exist_ok=True)
            soundfile.write(wav, np.zeros(2000), RATE)
            scp += f"{name} {wav}\n"
        self.file("decoded/valid/wav/wav.scp", scp)
        return folder

    def evaluation_arguments(self, versa="", data=None, **changes) -> list[Path]:
        """Arguments of evaluate: an experiment with synthesized audio, and the data."""
        teacher, data = self.teacher(**changes), data or self.data()
        if versa:
            place = "exp/teacher/decode/data/scoring/versa_eval"
            self.file(f"{place}/result.1.txt", versa)
        for name in ("b1", "b2"):
            wav = teacher / "decode" / "data" / "wav" / f"{name}.wav"
            wav.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(wav, np.zeros(8000), RATE)
        return [teacher, "--data", data, "--metrics", "dnsmos"]

    def evaluation(self, table=FIGURES, scores=SCORES) -> Path:
        """What `evaluate` wrote; a table may be the text or its only row."""
        self.file("evaluation/scores.csv", scores)
        if isinstance(table, dict):
            table = json.dumps({"rows": [table], "environment": {}})
        return self.file("evaluation/table.json", table).parent

    def answers(self, evaluation: str) -> Path:
        """A person's answer in the blind comparison of an evaluation."""
        line = {"utt": "b1", "a": "teacher", "b": "student", "answer": "a"}
        content = {"evaluation": evaluation, "systems": ["teacher", "student"]}
        return self.file(
            f"{evaluation}.json", json.dumps(content | {"answers": [line]})
        )

    def truncated_statistics(self, size: int) -> str:
        """The first bytes of statistics."""
        content = Path(self.corpus.stats("pitch")).read_bytes()[:size]
        return str(self.file("stats.npz", content))

    def pipe(self, name: str) -> Path:
        """A named pipe that nobody writes to."""
        os.mkfifo(self.root / name)
        return self.root / name

    def archive(self, *members: tuple[str, str], meta=True, link=None) -> Path:
        """A packed model whose members have these names and contents."""
        path = self.root / "packed.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            if meta:
                meta_yaml = {"yaml_files": {"train_config": "exp/config.yaml"}}
                meta_yaml["files"] = {"model_file": f"exp/{CHECKPOINT}"}
                archive.writestr("meta.yaml", yaml.safe_dump(meta_yaml))
            for name in ("config.yaml", CHECKPOINT):
                archive.write(self.source / name, f"exp/{name}")
            for name, content in members:
                archive.writestr(name, content)
            if link:
                info = zipfile.ZipInfo("exp/link")
                info.external_attr = 0o120777 << 16
                archive.writestr(info, link)
                archive.writestr("exp/link/escaped", "x")
        return path

    def part_of_archive(self) -> Path:
        path = self.archive()
        path.write_bytes(path.read_bytes()[:3000])
        return path


@dataclass(frozen=True)
class Try:
    """An invalid input and the expected error.

    Attributes:
        command: Of the command line.
        what: The input, in words.
        arguments: Makes it in a place and returns the command's arguments.
        message: Text expected in the error line.
        lines: How many faults there are, a line each.
        full_disk: Whether it requires a full disk.
        needs: Packages without which the error is another.
        environment: Variables that are set.
    """

    command: str
    what: str
    arguments: Callable[[Place], list]
    message: str
    lines: int = 1
    full_disk: bool = False
    needs: tuple[str, ...] = ()
    environment: Callable[[Place], dict] = lambda place: {}


def exporting(
    what: str, arguments: Callable, message: str, needs: tuple[str, ...] = ()
) -> Try:
    def with_target(place: Place) -> list:
        experiment, *options = arguments(place)
        return [experiment, "out", *options]

    return Try("export", what, with_target, message, needs=("onnx", *needs))


def on_full_disk(command: str, what: str, arguments: Callable) -> Try:
    return Try(command, what, arguments, "No space left on device", full_disk=True)


def synthesizing(what: str, arguments: Callable, message: str) -> Try:
    def with_target(place: Place) -> list:
        return [*arguments(place), "--out", "x.wav"]

    return Try("synthesize", what, with_target, message, needs=("onnxruntime",))


def importing(what: str, voice: Callable, message: str) -> Try:
    return Try(
        "import-piper", what, lambda p: [voice(p), OUT], message, needs=("onnx",)
    )


def replacing(what: str, arguments: Callable, message: str) -> Try:
    return Try("replace-decoder", what, lambda p: [*arguments(p), OUT], message)


def evaluating(what: str, arguments: Callable, message: str) -> Try:
    return Try("evaluate", what, arguments, message, needs=("speechmos",))


def calibrating(command: str, what: str, data: Callable, b1: str, message: str) -> Try:
    """A try of derive or prune with `--data` and durations, those of b1 given."""

    def arguments(place: Place) -> list:
        taylor = ["--importance", "taylor"] if command == "derive" else []
        return [
            *(place.teacher(), OUT, "--pressure", SMALL, *taylor),
            *("--data", data(place), "--durations", place.durations(b1)),
        ]

    return Try(command, what, arguments, message)


OTHER_TOKENS = [*TOKENS[:3], "b", "a", *TOKENS[5:]]
IDENTITY = {"config": "x", "model": "y", "config_sha256": "0", "model_sha256": "1"}
SPEAKERS = {
    "train_data_path_and_name_and_type": [["raw/tr/utt2sid", "sids", "text_int"]]
}
OUT = Path("out")  # below the try's folder, which is the working one


def _plan(**options) -> Callable:
    """Return the arguments of `recipe-step plan` in a folder without a recipe."""
    options = {"student_config": SCRIPTS / "conf/train_student.yaml"} | options
    return lambda p: ["plan", *run_options(**options)]


def _select(p, utt2spk: str, step="plan", embeddings="", **options) -> list:
    """Return the arguments of a step with data of these speakers."""
    raw = "dump/raw/train"
    for name, text in {"utt2spk": utt2spk, "text": "x a\n", "wav.scp": "x f\n"}.items():
        p.file(f"{raw}/{name}", text)
    p.file("dump/espnet_spk/train/spk_espnet_spk.scp", embeddings)
    options |= {"student_config": SCRIPTS / "conf/train_student.yaml"}
    options |= {"valid_set": "train", "test_sets": "train", "stage": "2"}
    if step == "plan":
        options["teacher"] = p.several()
    return [step, *run_options(**options)]


def _latents_of_one(p) -> list:
    """Return the arguments of a plan with data of one speaker of a VITS of several."""
    for name, text in {
        "text": "x a\n",
        "utt2spk": "x ann\n",
        "utt2sid": "x 1\n",
    }.items():
        p.file(f"dump/raw/train/{name}", text)
    generator = {"spks": 3, "global_channels": 4}
    return _plan(
        teacher=p.teacher(
            checkpoint=b"", tts="vits", tts_conf={"generator_params": generator}
        ),
        student="fastspeech2_nano",
        student_features="latents",
        vocoder_preset="harmonic_istft_nano",
        tts_opts="--use_sid true",
        stage="2",
        stop_stage="2",
        **dict.fromkeys(("train_set", "valid_set", "test_sets"), "train"),
    )(p)


TRIES = [
    # check: the file
    Try("check", "no such file", lambda p: ["no.yaml"], "no.yaml: cannot be read: No"),
    Try("check", "a folder in the file's place", lambda p: [p.folder()], "directory"),
    Try("check", "an empty file", lambda p: [p.file("t.yaml")], "t.yaml: is empty"),
    Try("check", "Latin-1", lambda p: [p.file("t.yaml", LATIN)], "line 1 is not UTF-8"),
    Try(
        "check",
        "YAML that does not parse",
        lambda p: [p.file("t.yaml", "tts: fastspeech2\ntts_conf: {adim: 8\n")],
        "t.yaml: cannot be read: line 3: ",
    ),
    Try("check", "a list", lambda p: [p.file("t.yaml", "- a\n")], "no `tts` key"),
    Try(
        "check",
        "aliases that stand for a billion values",
        lambda p: [p.file("t.yaml", LAUGHS)],
        "t.yaml: cannot be read: line 8: more than 2000000 values, aliases written out",
    ),
    Try(
        "check",
        "an alias inside its own anchor",
        lambda p: [p.file("t.yaml", "tts: &a [*a]\n")],
        "line 1: alias 'a' inside its own anchor",
    ),
    Try(
        "check",
        "lists nested ten thousand levels deep",
        lambda p: [p.file("t.yaml", f"tts: {'[' * 10_000}{']' * 10_000}\n")],
        "line 1: nested more than 100 levels deep",
    ),
    Try("check", "an option that is none", lambda p: [p.train(), "--lr", 1], "--lr"),
    # check: ESPnet's keys
    Try(
        "check",
        "an unknown key",
        lambda p: [p.train(max_epochs=3)],
        "no key 'max_epochs'; near: max_epoch",
    ),
    Try(
        "check",
        "text where a number belongs",
        lambda p: [p.train(max_epoch="many")],
        "max_epoch: expected a number, got 'many'",
    ),
    Try(
        "check",
        "an unknown `tts`",
        lambda p: [p.train(tts="fastspeach2", tts_conf={})],
        "tts: no 'fastspeach2'; near: fastspeech2",
    ),
    Try(
        "check",
        "an unknown key of `tts_conf`",
        lambda p: [p.train(tts_conf={"dunit": 16})],
        "tts_conf: fastspeech2 has no key 'dunit'; near: dunits",
    ),
    Try(
        "check",
        "a `tts_conf` of the wrong type",
        lambda p: [p.train(tts_conf={"adim": "wide"})],
        "tts_conf: fastspeech2 cannot be built: ",
    ),
    Try(
        "check",
        "a learning rate that YAML takes for text (`1e-3`)",
        lambda p: [p.train(optim_conf={"lr": "1e-3"})],
        "optim_conf: ",
    ),
    Try(
        "check",
        "a scheduler that ends before the training",
        lambda p: [
            p.train(
                scheduler="onecyclelr",
                scheduler_conf={"max_lr": 0.1, "total_steps": 8},
                num_iters_per_epoch=6,
            )
        ],
        "scheduler_conf.total_steps: onecyclelr ends at step 8, but",
    ),
    Try(
        "check",
        "`init_param` without its file",
        lambda p: [p.train(init_param=["no.pth:tts:tts"])],
        "init_param: no.pth: no such file",
    ),
    Try(
        "check",
        "`init_param`, truncated",
        lambda p: [p.train(init_param=[f"{p.truncated()}/{CHECKPOINT}"])],
        "not a readable checkpoint",
    ),
    Try(
        "check",
        "`init_param` of another shape",
        lambda p: [p.train(init_param=[f"{p.teacher()}/{CHECKPOINT}"])],
        "does not fit the student: ",
    ),
    Try(
        "check",
        "a token list in Latin-1",
        lambda p: [p.train(token_list=str(p.file("tokens", LATIN)))],
        "token_list: ",
    ),
    Try(
        "check",
        "`inf` where a whole number belongs",
        lambda p: [p.train(max_epoch=math.inf)],
        "max_epoch: expected a whole number, got inf",
    ),
    Try(
        "check",
        "text where a list belongs",
        lambda p: [p.train(init_param="no.pth")],
        "init_param: expected a list, got 'no.pth'",
    ),
    Try(
        "check",
        "a `tts_conf` that is a list",
        lambda p: [p.train(tts_conf=[8])],
        "tts_conf: expected keys and values, got [8]",
    ),
    Try(
        "check",
        "statistics that are not there",
        lambda p: [p.train(normalize_conf={"stats_file": "no.npz"})],
        "normalize_conf.stats_file: no.npz: no such file",
    ),
    Try(
        "check",
        "statistics of pitch, truncated",
        lambda p: [
            p.train(pitch_normalize_conf={"stats_file": p.truncated_statistics(200)})
        ],
        "pitch_normalize_conf.stats_file: ",
    ),
    Try(
        "check",
        "statistics that are no archive",
        lambda p: [
            p.train(energy_normalize_conf={"stats_file": str(p.file("s.npz", "x"))})
        ],
        "energy_normalize_conf.stats_file: ",
    ),
    Try(
        "check",
        "a named pipe in the file's place",
        lambda p: [p.pipe("t.yaml")],
        "t.yaml: cannot be read: it is a pipe; name a file",
    ),
    # check: teachers
    Try(
        "check",
        "no such teacher",
        lambda p: [p.train(teacher="no")],
        "no: no such experiment folder",
    ),
    Try(
        "check",
        "a teacher that is a number",
        lambda p: [_numbered(p)],
        "teacher: expected a folder or a tag, got 7",
    ),
    Try(
        "check",
        "a teacher's checkpoint, truncated",
        lambda p: [p.train(teacher=p.truncated())],
        f"{CHECKPOINT}: not a readable checkpoint",
    ),
    Try(
        "check",
        "a teacher's checkpoint with code in it",
        lambda p: [p.train(teacher=p.bomb())],
        f"{CHECKPOINT}: not a readable checkpoint",
    ),
    Try(
        "check",
        "a teacher of other tokens",
        lambda p: [p.train(teacher=p.teacher(token_list=OTHER_TOKENS))],
        "token_list: token 3: the student has 'a', teacher ",
    ),
    Try(
        "check",
        "a teacher of sentencepieces without their model",
        lambda p: [p.train(p.teacher(token_type="bpe", bpemodel="no.model"))],
        "config.yaml: bpemodel: no.model: no such file",
    ),
    Try(
        "check",
        "sentencepieces without their model",
        lambda p: [p.train(token_type="bpe")],
        "student: bpemodel: none, but token_type is bpe",
    ),
    Try(
        "check",
        "a cleaner that the teacher has not",
        lambda p: [p.train(), "--cleaner", "tacotron"],
        "cleaner: the student has tacotron, teacher ",
    ),
    Try(
        "check",
        "a teacher whose cleaner a shell would run",
        lambda p: [p.train(teacher=p.teacher(cleaner="$(touch PWNED)"))],
        "cleaner: '$(touch PWNED)' is none of ESPnet's; there are tacotron",
    ),
    Try(
        "check",
        "a teacher of another sampling rate",
        lambda p: [p.train(teacher=p.teacher(feats_extract_conf={"fs": 22050}))],
        "feats_extract_conf.fs: the student has 16000, teacher ",
    ),
    Try(
        "check",
        "a teacher whose `tts_conf` is a list",
        lambda p: [p.train(p.teacher(config=b"{tts: tacotron2, tts_conf: [8]}"))],
        "config.yaml: tts_conf: expected keys and values, got [8]",
    ),
    Try(
        "check",
        "a teacher of `inf` speakers",
        lambda p: [p.train(p.teacher(tts_conf={"spks": math.inf}))],
        "config.yaml: tts_conf.spks: expected a number, got inf",
    ),
    Try(
        "check",
        "a teacher with a number among its tokens",
        lambda p: [p.train(p.teacher(token_list=[*TOKENS[:3], 7]))],
        "config.yaml: token_list: token 3: expected text, got 7; quote it",
    ),
    # check: what to learn
    Try(
        "check",
        "an unknown key of `distill_conf`",
        lambda p: [p.learning(weight=1)],
        "distill_conf: no key 'weight'; there are ",
    ),
    Try(
        "check",
        "objectives without a teacher",
        lambda p: [p.train([], distill_conf={"objectives": [{"type": "mel"}]})],
        "distill_conf: there is no teacher; name one (teacher: [exp/teacher])",
    ),
    Try(
        "check",
        "a key of a configuration given twice",
        lambda p: [p.repeated(p.train(), "batch_size: 2")],
        "key 'batch_size' is given twice",
    ),
    Try(
        "check",
        "an unknown objective",
        lambda p: [p.learning(objectives=[{"type": "melody"}])],
        "objectives[0]: no objective 'melody'",
    ),
    Try(
        "check",
        "a negative weight",
        lambda p: [p.learning(objectives=[{"type": "mel", "weight": -1}])],
        "mel.weight: expected a finite number of at least 0, got -1",
    ),
    Try(
        "check",
        "a tap that the student lacks",
        lambda p: [p.learning(objectives=[{"type": "stop"}])],
        "the student has no tap 'stop'",
    ),
    Try("check", "temperature 0", lambda p: [p.learning(temperature=0)], "temperature"),
    Try(
        "check",
        "a dump that was not finished",
        lambda p: [p.train(teacher_dump="nowhere")],
        "no finished teacher dump",
        lines=2,
    ),
    Try(
        "check",
        "a dump of another teacher",
        lambda p: [
            p.train(teacher_dump=str(p.dump(teacher=IDENTITY, data={}, taps={})))
        ],
        "dumped from another teacher",
        lines=2,
    ),
    Try(
        "check",
        "a teacher's statistics, truncated",
        lambda p: [
            p.train(
                p.teacher(normalize_conf={"stats_file": p.truncated_statistics(99)})
            )
        ],
        "config.yaml: normalize_conf.stats_file: ",
    ),
    Try(
        "check",
        "a teacher's statistics, missing",
        lambda p: [p.train(p.teacher(normalize_conf={"stats_file": "no.npz"}))],
        "config.yaml: normalize_conf.stats_file: no.npz: no such file",
    ),
    Try(
        "check",
        "a dump whose manifest names no files",
        lambda p: [p.train(teacher_dump=str(p.dump(teacher=7, data={}, taps={})))],
        "manifest.yaml: is no teacher dump's; run teacher_dump again",
        lines=2,
    ),
    # check: pruning
    Try(
        "check",
        "pressure 1.5",
        lambda p: [p.pruning(pressure=1.5)],
        "callbacks[0]: pressure: 1.5 is not from 0 to below 1",
    ),
    Try("check", "pattern 4:2", lambda p: [p.pruning(pattern="4:2")], "is not n:m"),
    Try(
        "check",
        "a schedule beyond the training",
        lambda p: [p.pruning(unit="epoch")],
        "end: epoch 3 is after the training's last, 2",
    ),
    Try(
        "check",
        "a name that matches no parameter",
        lambda p: [p.pruning(exclude=["tts.feat_uot.*"])],
        "exclude: 'tts.feat_uot.*' names no parameter; near: ",
    ),
    Try(
        "check",
        "no such vocoder",
        lambda p: ["--vocoder", "no.pth", p.train()],
        "vocoder no.pth: no such file",
    ),
    # list-clips
    *(
        Try("list-clips", what, lambda p, made=made: p.listed(*made), message)
        for what, made, message in [
            (
                "an id twice",
                ("a|x\na|y\n", "a.wav"),
                "line 2: id 'a' repeats the id of ",
            ),
            ("an id of two words", ("a b|x\n", "a b.wav"), "line 1: id 'a b': exp"),
            (
                "an id that leaves the folder",
                ("../a|x\n", "a.wav"),
                "id '../a': is no file name",
            ),
            ("an empty text", ("a|\n", "a.wav"), "line 1: has no text; add it, or"),
            ("no recording", ("a|x\n", "b.wav"), "expected one recording of 'a' in "),
            ("two recordings", ("a|x\n", "a.wav", "a.flac"), "found a.flac, a.wav"),
            ("no bar", ("a x\n", "a.wav"), "line 1: has 1 fields, expected id|text"),
            ("Latin-1", ("a|x\n".encode() + LATIN, "a.wav"), "line 2 is not UTF-8"),
        ]
    ),
    Try(
        "list-clips",
        "a recording that is no audio",
        lambda p: p.listed("a|x\n", a="text"),
        "a.wav: a: cannot be read as audio (Format not recognised); give WAV, FLAC",
    ),
    Try(
        "list-clips",
        "a folder of another layout",
        lambda p: [p.folder(), OUT, "--speaker", "someone"],
        "has neither metadata.csv nor data/",
    ),
    # derive
    Try(
        "derive",
        "a folder without an experiment",
        lambda p: [p.folder(), OUT, "--pressure", SMALL],
        "no config.yaml in it",
    ),
    Try(
        "derive",
        "a checkpoint with code in it",
        lambda p: [p.bomb(), OUT, "--pressure", SMALL],
        "not a readable checkpoint",
    ),
    Try(
        "derive",
        "an empty checkpoint",
        lambda p: [p.teacher(checkpoint=b""), OUT, "--pressure", SMALL],
        "not a readable checkpoint",
    ),
    Try(
        "derive",
        "a folder that is there",
        lambda p: [p.teacher(), p.folder(), "--pressure", SMALL],
        "exists: name a new folder",
    ),
    Try(
        "derive",
        "a target below a file",
        lambda p: [p.teacher(), p.below_a_file(), "--pressure", SMALL],
        "file is no folder",
    ),
    on_full_disk(
        "derive",
        "a full disk",
        lambda p: [p.teacher(), p.disk / "out", "--pressure", SMALL],
    ),
    Try(
        "derive",
        "pressure 1.2",
        lambda p: [p.teacher(), OUT, "--pressure", 1.2],
        "--pressure: 1.2 is not from 0 to below 1",
    ),
    Try(
        "derive",
        "a configuration of another class",
        lambda p: [
            p.teacher(),
            OUT,
            "--student-config",
            p.train(tts="tacotron2", tts_conf={}),
        ],
        "tts: tacotron2; the teacher is fastspeech2",
    ),
    Try(
        "derive",
        "data whose text is Latin-1",
        lambda p: [
            *(p.teacher(), OUT, "--pressure", SMALL, "--importance", "taylor"),
            *("--data", p.data(text=LATIN), "--durations", "x"),
        ],
        "text: cannot be read: line 1 is not UTF-8",
    ),
    *(
        calibrating(command, what, lambda p: p.data(), b1, message)
        for command in ("derive", "prune")
        for what, b1, message in [
            ("durations of another n_shift", "3 3 3 2", "b1: 11 frames, but the rec"),
            ("negative durations", "30 -9 3 4", "b1: '-9' is no number of frames"),
            ("durations of 0 frames", "0 0 0 0", "b1: 0 frames, but the recording"),
            ("a duration beyond any", "9" * 30, f"b1: '{'9' * 30}' is no number of"),
            ("a duration far too long", "3 3 3 99999999", "b1: 100000008 frames, but"),
        ]
    ),
    *(
        calibrating("derive", what, data, "8 8 8 8", message)
        for what, data, message in [
            (
                "a truncated recording",
                lambda p: p.recorded(cut=0.5),
                "b1.wav: b1: is truncated: 3978 of 8000 bytes; copy it again",
            ),
            (
                "a recording that is no audio",
                lambda p: p.recorded(cut=0.001),
                "b1.wav: b1: cannot be read as audio (Format not recognised); give",
            ),
            (
                "an empty recording",
                lambda p: p.recorded(wave=[]),
                "b1.wav: b1: is empty; leave the utterance out",
            ),
            (
                "a recording of another rate",
                lambda p: p.recorded(rate=22050),
                "b1.wav: b1: has 22050 Hz, expected 16000; resample it",
            ),
            (
                "a recording in stereo",
                lambda p: p.recorded(wave=np.zeros((9, 2))),
                "b1.wav: b1: has 2 channels, expected 1; mix them down",
            ),
            (
                "a command in place of a recording",
                lambda p: p.data(wav_scp="b1 sph2pipe b1.sph |\nb2 x\n"),
                "wav.scp: sph2pipe b1.sph |: b1: is a command, expected a file",
            ),
            (
                "an empty text",
                lambda p: p.data(text="b1\nb2 words here\n"),
                "text: b1 has no text; leave the utterance out",
            ),
        ]
    ),
    # prune and compact
    calibrating(
        "prune",
        "a truncated recording",
        lambda p: p.recorded(cut=0.5),
        "8 8 8 8",
        "b1.wav: b1: is truncated: 3978 of 8000 bytes; copy it again",
    ),
    Try(
        "prune",
        "an empty config.yaml",
        lambda p: [p.teacher(config=b""), OUT, "--pressure", SMALL],
        "config.yaml: is empty",
    ),
    Try(
        "prune",
        "pressure 0",
        lambda p: [p.teacher(), OUT, "--pressure", 0],
        "--pressure: 0.0 is not above 0 and below 1",
    ),
    Try(
        "prune",
        "durations of other tokens",
        lambda p: [
            *(p.teacher(), OUT, "--pressure", SMALL, "--data", p.data()),
            *("--durations", p.file("durations", "b1 1 2\nb2 3 4\n")),
        ],
        "--durations: b1: 2 values for the 3 tokens",
    ),
    Try(
        "prune",
        "a target below a file",
        lambda p: [p.teacher(), p.below_a_file(), "--pressure", SMALL],
        "file is no folder",
    ),
    on_full_disk(
        "prune",
        "a full disk",
        lambda p: [p.teacher(), p.disk / "out", "--pressure", SMALL],
    ),
    Try(
        "compact",
        "an experiment that was not pruned",
        lambda p: [p.teacher(), OUT],
        "nothing in it is masked; prune it first",
    ),
    Try(
        "compact",
        "a config.yaml in Latin-1",
        lambda p: [p.teacher(config=LATIN), OUT],
        "config.yaml: cannot be read: line 1 is not UTF-8",
    ),
    Try(
        "compact",
        "a config.yaml of another model",
        lambda p: [p.teacher(tts_conf={"adim": 24}), OUT],
        "config.yaml: cannot build the model: ",
    ),
    Try(
        "compact",
        "what a training resumes from",
        lambda p: [_resumable(p), OUT],
        "not a model's weights alone",
    ),
    Try(
        "compact",
        "a target below a file",
        lambda p: [p.pruned(), p.below_a_file()],
        "file is no folder",
    ),
    on_full_disk("compact", "a full disk", lambda p: [p.pruned(), p.disk / "out"]),
    # models that are not text-to-mel: before their weights are read
    Try(
        "derive",
        "a text-to-waveform model",
        lambda p: [p.text2wav(), OUT, "--pressure", 0.5],
        "config.yaml: derive does not support VITS, only FastSpeech2",
    ),
    Try(
        "prune",
        "a text-to-waveform model",
        lambda p: [p.text2wav(), OUT, "--pressure", 0.5],
        "config.yaml: tts: vits: units of a VITS are not removed; add --low-rank, ",
    ),
    Try(
        "prune",
        "a JETS, low rank",
        lambda p: [p.teacher(tts="jets"), OUT, "--pressure", 0.5, "--low-rank"],
        "config.yaml: low rank does not support jets, only fastspeech2",
    ),
    Try(
        "compact",
        "a text-to-waveform model",
        lambda p: [p.text2wav(), OUT],
        "config.yaml: tts: VITS has no taps; models that have are FastSpeech2",
    ),
    Try(
        "compact",
        "an unknown `tts`",
        lambda p: [p.teacher(tts="fastspeach2", checkpoint=b""), OUT],
        "config.yaml: tts: no 'fastspeach2'; near: fastspeech2",
    ),
    Try(
        "check",
        "a text-to-waveform student",
        lambda p: [p.train(tts="vits", tts_conf={})],
        "student: tts: VITS has no taps; models that have are FastSpeech2",
    ),
    Try(
        "check",
        "a text-to-waveform teacher",
        lambda p: [p.train(p.text2wav())],
        "config.yaml: tts: synthesizes waveforms and has no tap 'mel_after', but ",
    ),
    Try(
        "check",
        "a text-to-waveform teacher of two models",
        lambda p: [p.train(p.teacher("joint", checkpoint=b"", tts="joint_text2wav"))],
        "config.yaml: tts: JointText2Wav has no taps; models that have are FastSpeech2",
    ),
    Try(
        "check",
        "units of a ProDiff",
        lambda p: [p.denoising(granularity="structured")],
        "callbacks[0]: granularity: structured supports FastSpeech2, FastSpeech, ",
    ),
    # evaluate
    evaluating(
        "no such experiment",
        lambda p: ["no", "--data", p.data(), "--out", OUT, "--metrics", "dnsmos"],
        "no: no such experiment folder",
    ),
    evaluating(
        "an empty data folder",
        lambda p: [
            *(p.teacher(), "--data", p.folder(), "--out", OUT, "--metrics", "dnsmos")
        ],
        "text is missing",
    ),
    evaluating(
        "a text without sentences",
        lambda p: [
            *(p.teacher(), "--data", p.data(text=""), "--out", OUT),
            *("--metrics", "dnsmos"),
        ],
        "text is empty",
    ),
    evaluating(
        "speech that was not decoded",
        lambda p: [
            *(p.teacher(), "--data", p.data(), "--out", OUT, "--metrics", "dnsmos")
        ],
        "b1.wav is missing: decode with stage 8",
    ),
    evaluating(
        "an utterance id that leads out of the folder",
        lambda p: [
            *(p.teacher(), "--data", _data_outside(p)),
            *("--out", OUT, "--metrics", "dnsmos"),
        ],
        "utterance '../../evil': is no file name",
    ),
    evaluating(
        "durations that are no numbers",
        lambda p: [
            *(*p.evaluation_arguments(), "--out", OUT),
            *("--durations", p.file("durations", "b1 a\nb2 b\n")),
        ],
        "give whole frames a token",
    ),
    *(
        evaluating(
            what,
            lambda p, b1=b1: [
                *p.evaluation_arguments(),
                "--out",
                OUT,
                "--durations",
                p.durations(b1),
            ],
            message,
        )
        for what, b1, message in [
            ("durations of another n_shift", "3 3 3 2", "b1: 11 frames, but the rec"),
            ("negative durations", "30 -9 3 4", "b1: '-9' is no number of frames"),
            ("durations of other tokens", "9", "b1: 1 values for the 3 tokens"),
        ]
    ),
    *(
        evaluating(
            what,
            lambda p, data=data: [*p.evaluation_arguments(data=data(p)), "--out", OUT],
            message,
        )
        for what, data, message in [
            (
                "a truncated recording",
                lambda p: p.recorded(cut=0.5),
                "b1.wav: b1: is truncated: 3978 of 8000 bytes; copy it again",
            ),
            (
                "a recording with NaN",
                lambda p: p.recorded(wave=np.full(4000, np.nan), subtype="FLOAT"),
                "b1.wav: 4000 samples are NaN or infinite; write the file again",
            ),
            (
                "an empty recording",
                lambda p: p.recorded(wave=[]),
                "b1.wav: b1: is empty; leave the utterance out",
            ),
            (
                "an empty text",
                lambda p: p.data(text="b1\nb2 words here\n"),
                "text: b1 has no text; leave the utterance out",
            ),
        ]
    ),
    evaluating(
        "a recording of another rate, with durations",
        lambda p: [
            *(*p.evaluation_arguments(data=p.recorded(rate=22050)), "--out", OUT),
            *("--durations", p.durations("8 8 8 8")),
        ],
        "b1.wav: b1: has 22050 Hz, expected 16000; resample it",
    ),
    evaluating(
        "a vocoder with code in it",
        lambda p: [
            *p.evaluation_arguments(feats_extract_conf={"log_base": None}),
            *("--out", OUT, "--vocoder", _vocoder(p)),
        ],
        "not a checkpoint of weights alone",
    ),
    Try(
        "evaluate",
        "an ASR model that is none",
        lambda p: [
            *p.evaluation_arguments(),
            "--out",
            OUT,
            "--metrics",
            "wer",
            "--asr-model",
            "t",
            "--language",
            "en",
        ],
        "--asr-model: t is neither an ESPnet experiment or tag (hub:owner/name), nor ",
        needs=("faster_whisper", "jiwer", "whisper_normalizer"),
    ),
    Try(
        "evaluate",
        "a second recognizer of another language",
        lambda p: [
            *(*p.evaluation_arguments()[:-1], "wer", "--out", OUT),
            *("--language", "de", "--asr-model", "base"),
            *("--second-asr-model", "moonshine"),
        ],
        "--second-asr-model: moonshine transcribes English only, the text is de; name ",
        needs=("faster_whisper", "jiwer", "whisper_normalizer"),
    ),
    Try(
        "evaluate",
        "a text whose language is unknown",
        lambda p: [*p.evaluation_arguments()[:-1], "wer", "--out", OUT],
        "--language: neither the data nor the g2p has the language of the text; name",
        needs=("faster_whisper", "jiwer", "whisper_normalizer"),
    ),
    evaluating(
        "a broken result of VERSA",
        lambda p: [*p.evaluation_arguments(versa="{'key': 'b1'"), "--out", OUT],
        "result.1.txt: line 1: no result of VERSA",
    ),
    evaluating(
        "a result of VERSA that is nested deep",
        lambda p: [*p.evaluation_arguments(versa="-" * 50_000 + "1"), "--out", OUT],
        "result.1.txt: line 1: no result of VERSA",
    ),
    evaluating(
        "a part beyond the last",
        lambda p: [*p.evaluation_arguments(), "--out", OUT, "--part", "5/4"],
        "--part: 5/4 is no JOB/NJ",
    ),
    evaluating(
        "a TTS model as a speaker model",
        lambda p: [
            *p.evaluation_arguments(),
            "--out",
            OUT,
            "--speaker-model",
            p.source,
        ],
        f"{CHECKPOINT}: cannot be built: ",
    ),
    evaluating(
        "a target below a file",
        lambda p: [*p.evaluation_arguments(), "--out", p.below_a_file()],
        "file is no folder",
    ),
    # parts
    Try(
        "extract-text2mel",
        "a text-to-mel experiment",
        lambda p: [p.teacher(), OUT],
        "tts: fastspeech2: has no text-to-mel part; name a joint_text2wav",
    ),
    Try(
        "extract-text2mel",
        "a joint model by its configuration alone",
        lambda p: [p.teacher(tts="joint_text2wav", tts_conf={}), OUT],
        "cannot build the model: ",
    ),
    Try(
        "extract-text2mel",
        "a folder that is there",
        lambda p: [p.teacher(), p.folder()],
        "exists: name a new folder",
    ),
    Try(
        "extract-vocoder",
        "a text-to-mel experiment",
        lambda p: [p.teacher(), OUT],
        "config.yaml: is no vocoder's (tts: fastspeech2)",
    ),
    Try(
        "extract-vocoder",
        "a truncated checkpoint",
        lambda p: [p.teacher(config=VOCODER, checkpoint=b"PK\x03\x04"), OUT],
        "not a readable checkpoint",
    ),
    Try(
        "extract-vocoder",
        "a configuration of no generator",
        lambda p: [p.teacher(tts="vocoder"), OUT],
        "tts_conf.vocoder_type: no None; there are istft_generator, ",
    ),
    Try(
        "extract-vocoder",
        "the weights of another model",
        lambda p: [p.teacher(config=VOCODER), OUT],
        f"{CHECKPOINT}: does not fit ",
    ),
    Try(
        "extract-vocoder",
        "a folder that is there",
        lambda p: [p.teacher(), p.folder()],
        "exists: name a new folder",
    ),
    Try(
        "extract-vocoder",
        "a target below a file",
        lambda p: [p.teacher(), p.below_a_file()],
        "file is no folder",
    ),
    Try(
        "extract-vocoder",
        "arguments of the generator that are a number",
        lambda p: [p.teacher(config=VOCODER[:-2] + b", vocoder_params: 7}}"), OUT],
        "tts_conf.vocoder_params: expected keys and values, got 7",
    ),
    on_full_disk(
        "extract-vocoder", "a full disk", lambda p: [p.vocoder(), p.disk / "out"]
    ),
    # import-piper
    importing("no such voice", lambda p: "none.onnx", "none.onnx.json: no such file"),
    importing(
        "a JSON without a sampling rate",
        lambda p: p.piper(audio={}),
        "voice.onnx.json: audio.sample_rate: missing",
    ),
    importing(
        "a JSON of more phonemes than symbols",
        lambda p: p.piper(num_symbols=3),
        "phoneme_id_map.' ': [3]: expected ids below num_symbols, 3",
    ),
    importing(
        "a text instead of a graph",
        lambda p: p.piper(b"mel 80"),
        "voice.onnx: is no ONNX graph",
    ),
    importing(
        "a graph of something else",
        lambda p: p.voice() / "voice.onnx",
        "voice.onnx: is no Piper voice but a graph with inputs ",
    ),
    Try(
        "import-piper",
        "a folder that is there",
        lambda p: [p.piper(), p.folder()],
        "exists: name a new folder",
    ),
    # replace-decoder
    replacing(
        "a text-to-mel experiment",
        lambda p: [p.teacher(), p.vocoder()],
        "tts: fastspeech2: has no waveform decoder that can be replaced; name one of ",
    ),
    replacing(
        "a vocoder of mels",
        lambda p: [p.text2wav(), p.vocoder()],
        "takes mels; train a vocoder on the latents of ",
    ),
    replacing(
        "no vocoder",
        lambda p: [p.text2wav(), p.teacher()],
        "is no vocoder's (tts: fastspeech2)",
    ),
    replacing(
        "settings of latents that lack a key",
        lambda p: [p.text2wav(), p.teacher("v", config=LATENTS)],
        "tts_conf.latents: expected channels, condition_channels, fs, hop_length, ",
    ),
    Try(
        "replace-decoder",
        "a folder that is there",
        lambda p: [p.text2wav(), p.vocoder(), p.folder()],
        "exists: name a new folder",
    ),
    # synthesize
    synthesizing("no voice", lambda p: [p.folder("empty"), "a"], "no such voice; name"),
    synthesizing(
        "a truncated graph", lambda p: [p.voice(graph=0.5), "a"], "cannot be loaded: "
    ),
    synthesizing(
        "a truncated graph whose size is recorded",
        lambda p: [p.voice(graph=0.5, files=RECORDED), "a"],
        "voice.onnx: truncated or another file: ",
    ),
    synthesizing(
        "a voice without its JSON file",
        lambda p: [p.voice(settings=0), "a"],
        "voice.onnx.json: no such file; name the voice's whole folder",
    ),
    synthesizing(
        "a truncated JSON file",
        lambda p: [p.voice(settings=0.5), "a"],
        "voice.onnx.json: cannot be read: ",
    ),
    synthesizing(
        "a voice of a newer format",
        lambda p: [p.voice(format_version=2), "a"],
        "format_version: 2 is newer than 1; upgrade the runtime",
    ),
    synthesizing(
        "a voice of a g2p that no runtime has, and text",
        lambda p: [p.voice(phoneme_type="ids"), "a"],
        "phoneme_type: no front end for ids; give phonemes",
    ),
    synthesizing(
        "a voice whose samples are not finite",
        lambda p: [p.voice(finite=False), "a"],
        "its output is not finite; export it again",
    ),
    synthesizing(
        "an unknown speaker",
        lambda p: [p.voice(speakers=("ann", "bob")), "a", "--speaker", "bo"],
        "speaker 'bo': ",
    ),
    synthesizing("no words", lambda p: [p.voice(), "..."], "has nothing to synthesize"),
    synthesizing(
        "a text file that is missing",
        lambda p: [p.voice(), "missing.txt"],
        "missing.txt: no such file",
    ),
    synthesizing(
        "a text file in Latin-1",
        lambda p: [p.voice(), p.file("latin.txt", LATIN)],
        "latin.txt: cannot be read: it is not UTF-8",
    ),
    synthesizing(
        "a text in Latin-1",
        lambda p: [p.voice(), "caf\udce9"],
        "caf\\udce9: cannot be read: it is not UTF-8",
    ),
    synthesizing(
        "a speed of 0",
        lambda p: [p.voice(), "a", "--speed", 0],
        "speed: 0.0: expected 0.1 to 10",
    ),
    on_full_disk(
        "synthesize",
        "a full disk",
        lambda p: [p.voice(), "a " * 100, "--out", p.disk / "x.wav"],
    ),
    # bench
    Try(
        "bench",
        "sentences in Latin-1",
        lambda p: [p.teacher(), "--sentences", p.file("s", LATIN)],
        "line 1 is not UTF-8",
    ),
    Try(
        "bench",
        "no sentences",
        lambda p: [p.teacher(), "--sentences", p.file("s", "\n\n")],
        "is empty: write one sentence a line",
    ),
    Try(
        "bench",
        "0 threads",
        lambda p: [p.teacher(), "--threads", 0],
        "--threads: 0 is not above 0",
    ),
    Try(
        "bench",
        "chunks of a vocoder that has none",
        lambda p: [p.teacher(), "--chunk", 32, "--data", p.data()],
        "--chunk: Griffin-Lim cannot synthesize in chunks",
    ),
    Try(
        "bench",
        "a truncated checkpoint",
        lambda p: [p.truncated(), "--data", p.data()],
        "not a readable",
    ),
    Try(
        "bench",
        "no sentences of a model without an English g2p",
        lambda p: [p.teacher()],
        "has no English g2p, and the text of its validation is not here; name a data",
    ),
    Try(
        "bench",
        "sentences and data",
        lambda p: [p.teacher(), "--data", p.data(), "--sentences", p.file("s", "x")],
        "--sentences and --data: name one of both",
    ),
    Try(
        "bench",
        "a target below a file",
        lambda p: [p.teacher(), "--out", p.below_a_file()],
        "file is no folder",
    ),
    # export
    exporting(
        "another folder than onnxruntime-web",
        lambda p: [p.teacher(), "--web", "--web-runtime", p.folder("node_modules")],
        "node_modules/package.json: cannot be read: No such file",
    ),
    exporting("without a vocoder", lambda p: [p.teacher()], "Griffin-Lim cannot be"),
    exporting(
        "a vocoder of other mels",
        lambda p: [p.teacher(feats_extract_conf={"fmax": 4000}), *_vocoder_option(p)],
        "highest mel frequency 7600, but the model's mels have 4000",
    ),
    exporting(
        "Tacotron2",
        lambda p: [p.attentive(), *_vocoder_option(p)],
        "tts: tacotron2 cannot be exported; fastspeech2, fastspeech and ",
    ),
    exporting(
        "VITS with a vocoder",
        lambda p: [p.text2wav(), *_vocoder_option(p)],
        "synthesizes waveforms without mels; leave it out",
    ),
    exporting(
        "a model of x-vectors, and no name",
        lambda p: [p.teacher(tts_conf={"spk_embed_dim": 4}), *_vocoder_option(p)],
        "tts_conf.spk_embed_dim: no client has speaker embeddings; name speakers of ",
    ),
    exporting(
        "names of x-vectors, and a model without",
        lambda p: [p.teacher(), *_vocoder_option(p), "--xvector", "ann"],
        "has no speaker embeddings; leave it out",
    ),
    exporting(
        "a model of style tokens",
        lambda p: [p.teacher(tts_conf={"use_gst": True}), *_vocoder_option(p)],
        "tts_conf.use_gst: a model of style tokens takes an input that no client has",
    ),
    exporting(
        "masks that were not compacted",
        lambda p: [p.pruned(), *_vocoder_option(p)],
        "has masked units; run espnet-distill compact first",
    ),
    exporting(
        "a token list without padding",
        lambda p: [p.teacher(token_list=["a", *TOKENS[1:]]), *_vocoder_option(p)],
        "token_list: token 0 is 'a', and id 0 pads",
    ),
    exporting(
        "tokens of several code points of espeak-ng",
        lambda p: [p.teacher(**JOINED), *_vocoder_option(p)],
        "g2p: espeak_ng_german joins several code points in a token (',k')",
    ),
    exporting(
        "a voice that espeak-ng lacks",
        lambda p: [p.teacher(), *_vocoder_option(p), "--espeak-voice", "en-xy"],
        "voice 'en-xy': espeak-ng has no such language; near: ",
        needs=("espeakng_loader",),
    ),
    exporting(
        "a sample of nothing",
        lambda p: [p.teacher(), *_vocoder_option(p), "--sample", ""],
        "--sample: '': nothing to synthesize; give words",
    ),
    exporting(
        "an evaluation without a table",
        lambda p: [
            p.teacher(),
            *_vocoder_option(p),
            "--evaluation",
            p.folder("evaluated"),
        ],
        "evaluated/table.md: no such file; name a folder that evaluate wrote",
    ),
    exporting(
        "a sample of letters that the model lacks",
        lambda p: [p.teacher(), *_vocoder_option(p), "--sample", "жa"],
        "has no token 'ж'; give a sentence without it",
    ),
    exporting(
        "a lexicon for letters",
        lambda p: [p.teacher(), *_vocoder_option(p), "--lexicon", "auto"],
        "--lexicon: the voice's symbols are text, not phonemes of espeak-ng; leave it",
    ),
    exporting(
        "a data folder that is missing",
        lambda p: [p.teacher(), *_vocoder_option(p), "--data", "data"],
        "--data: data: no such folder; name the experiment's data folder, or leave it",
    ),
    exporting(
        "names of speakers, and a model of one",
        lambda p: [p.teacher(), *_vocoder_option(p), "--speakers", p.file("s", "a 0")],
        "has one speaker; leave it out",
    ),
    exporting(
        "a language of a model of one",
        lambda p: [p.teacher(), *_vocoder_option(p), "--language-id", 1],
        "has one language; leave it out",
    ),
    exporting(
        "onnxruntime-web without a page",
        lambda p: [p.teacher(), *_vocoder_option(p), "--web-runtime", p.folder()],
        "--web-runtime: there is no page without --web; leave it out",
    ),
    Try("export", "a folder that exists", lambda p: [p.teacher(), p.root], "exists: "),
    # seeds
    Try("summarize-seeds", "no such folder", lambda p: ["no"], "no/table.json: "),
    Try(
        "summarize-seeds",
        "a table nested a hundred thousand levels deep",
        lambda p: [p.evaluation(table="[" * 100_000 + "]" * 100_000)],
        "table.json: cannot be read: nested too deep",
    ),
    Try(
        "summarize-seeds",
        "a truncated table",
        lambda p: [p.evaluation(table='{"rows": [{"na')],
        "table.json: ",
    ),
    Try(
        "summarize-seeds",
        "a table of another kind",
        lambda p: [p.evaluation(table="[1, 2]")],
        "table.json: no table of",
    ),
    Try(
        "summarize-seeds",
        "rows without a name",
        lambda p: [p.evaluation(table='{"rows": [{"wer": 1}]}')],
        "table.json: no table of",
    ),
    Try(
        "summarize-seeds",
        "rows without measures",
        lambda p: [p.evaluation(table='{"rows": [{"name": "teacher"}]}')],
        "table.json: no table of",
    ),
    Try(
        "summarize-seeds",
        "scores in Latin-1",
        lambda p: [p.evaluation(scores=LATIN)],
        "scores.csv: ",
    ),
    Try(
        "summarize-seeds",
        "a setting that is not there",
        lambda p: [p.evaluation(), "--against", "alone"],
        "--against alone: ",
    ),
    Try(
        "summarize-seeds",
        "scores of other rows",
        lambda p: [p.evaluation(scores="row,errors,words,dnsmos\n")],
        "scores.csv: no scores of teacher; evaluate again",
    ),
    Try(
        "summarize-seeds",
        "a seed before and after its compaction",
        lambda p: [p.evaluation(table=json.dumps({"rows": SEED}))],
        "table.json: s_seed1 and s_seed1_compact are one seed of s; evaluate one",
    ),
    Try(
        "summarize-seeds",
        "a CSV file below a file",
        lambda p: [p.evaluation(), "--csv", p.below_a_file()],
        "file is no folder",
    ),
    # what is NaN or infinite, wherever it is loaded
    Try(
        "check",
        "a teacher whose training diverged",
        lambda p: [p.train(teacher=p.diverged())],
        f"{CHECKPOINT}: NaN or infinity in tts.feat_out.bias; name a checkpoint",
    ),
    Try(
        "check",
        "`init_param` with infinite weights",
        lambda p: [p.train(init_param=[f"{p.diverged(value=np.inf)}/{CHECKPOINT}"])],
        "NaN or infinity in tts.feat_out.bias",
    ),
    Try(
        "check",
        "a teacher whose statistics hold NaN",
        lambda p: [p.train(teacher=_normalized(p, sum=np.full(20, np.nan)))],
        "feats_stats.npz: NaN or infinity in sum; collect the statistics again",
    ),
    Try(
        "check",
        "a teacher whose statistics count no frame",
        lambda p: [p.train(teacher=_normalized(p, count=0))],
        "feats_stats.npz: a count of 0 frames; collect the statistics again",
    ),
    *(
        Try(
            command,
            "a model whose training diverged",
            lambda p, options=options: [p.diverged(), *options(p)],
            f"{CHECKPOINT}: NaN or infinity in tts.feat_out.bias; name a checkpoint",
        )
        for command, options in (
            ("derive", lambda p: [OUT, "--pressure", SMALL]),
            ("prune", lambda p: [OUT, "--pressure", SMALL]),
            ("compact", lambda p: [OUT]),
            ("bench", lambda p: ["--data", p.data()]),
        )
    ),
    # what stock ESPnet does not load, or loads with weights left random
    Try(
        "prune",
        "a checkpoint saved out of DataParallel",
        lambda p: [_parallel(p), OUT, "--pressure", SMALL],
        "all names begin with 'module.', which DataParallel puts there",
    ),
    Try(
        "check",
        "a token list without `<unk>`",
        lambda p: [_without_unknown(p)],
        "student: token_list: has no <unk>, without which ESPnet builds no text",
    ),
    Try(
        "bench",
        "a token list without `<unk>`",
        lambda p: [
            *(p.teacher(token_list=[TOKENS[0], "<oov>", *TOKENS[2:]]), "--data"),
            p.data(),
        ],
        "token_list: has no <unk>, without which ESPnet builds no text front end",
    ),
    Try(
        "bench",
        "a token twice in the list",
        lambda p: [
            *(p.teacher(token_list=[*TOKENS[:4], "a", *TOKENS[5:]]), "--data"),
            p.data(),
        ],
        "token_list: has 'a' more than once",
    ),
    Try(
        "summarize-seeds",
        "a figure that is text",
        lambda p: [p.evaluation(table=FIGURES | {"wer": "low"})],
        "table.json: teacher: wer: expected a number, got 'low'",
    ),
    Try(
        "summarize-seeds",
        "errors that are no number",
        lambda p: [p.evaluation(scores=SCORES + "teacher,few,3,\n")],
        "scores.csv: line 3: errors: expected a number, got 'few'",
    ),
    Try(
        "summarize-seeds",
        "a row with fewer sentences",
        lambda p: [p.evaluation(scores=SCORES + "student,,,\nstudent,,,\n")],
        "scores.csv: the rows have different sentences; evaluate again",
    ),
    # report
    Try("report", "no such folder", lambda p: ["no"], "no/table.json: no table of"),
    Try(
        "report",
        "a figure that is a list",
        lambda p: [p.evaluation(table=FIGURES | {"wer": [1]})],
        "rows[0].wer: expected a number, got [1]",
    ),
    Try(
        "report",
        "a model that is a number",
        lambda p: [p.evaluation(table=FIGURES | {"model": 7})],
        "rows[0].model: expected text, got 7",
    ),
    Try(
        "report",
        "a blind comparison without audio",
        lambda p: [p.evaluation(scores="utt,row\n"), "--blind"],
        "--blind: give two or more systems with audio",
    ),
    Try(
        "summarize-blind",
        "a file of another kind",
        lambda p: [p.file("a.json", "[]")],
        "a.json: no answers of blind.html",
    ),
    Try(
        "summarize-blind",
        "answers in two evaluations",
        lambda p: [p.answers("a"), p.answers("b")],
        "b.json: answers in another evaluation than",
    ),
    # unpack
    Try("unpack", "no such file", lambda p: ["no.zip", OUT], "no.zip: no such packed"),
    Try(
        "unpack",
        "an empty file",
        lambda p: [p.file("p.zip"), OUT],
        "p.zip: cannot be unpacked: ",
    ),
    Try(
        "unpack",
        "a truncated archive",
        lambda p: [p.part_of_archive(), OUT],
        "packed.zip: cannot be unpacked: ",
    ),
    Try(
        "unpack",
        "an archive that `pack` did not make",
        lambda p: [p.archive(meta=False), OUT],
        "not found meta.yaml",
    ),
    Try(
        "unpack",
        "a member that escapes by `..`",
        lambda p: [p.archive(("../escaped", "x")), OUT],
        "outside",
    ),
    Try(
        "unpack",
        "a member with an absolute path",
        lambda p: [p.archive((str(p.root / "escaped"), "x")), OUT],
        "outside",
    ),
    Try(
        "unpack",
        "a symbolic link, and a member below it",
        lambda p: [p.archive(link=str(p.root)), OUT],
        "exp/link is a link",
    ),
    Try(
        "unpack",
        "a member of zeros, whose size explodes",
        lambda p: [p.archive(("zeros", "0" * 30_000_000)), OUT],
        "more than 200 times as many",
    ),
    Try(
        "unpack",
        "more members than a model has",
        lambda p: [p.archive(*((f"{i}", "") for i in range(10_000))), OUT],
        "10003 members, more than 10000",
    ),
    Try(
        "unpack",
        "a `meta.yaml` that names no model",
        lambda p: [p.archive(("a/meta.yaml", "files: {}"), meta=False), OUT],
        "meta.yaml names no member as yaml_files.train_config",
    ),
    Try(
        "unpack",
        "a folder that holds something else",
        lambda p: [p.archive(), p.file("mine/thesis.tex").parent],
        "mine: is no unpacked model",
    ),
    Try(
        "unpack",
        "a target below a file",
        lambda p: [p.archive(), p.below_a_file()],
        "file is no folder",
    ),
    on_full_disk("unpack", "a full disk", lambda p: [p.archive(), p.disk / "out"]),
    # settings
    Try("teacher-config", "no such folder", lambda p: ["no"], "no: no such experiment"),
    Try(
        "teacher-config",
        "a teacher of sentencepieces without their model",
        lambda p: [p.teacher(token_type="bpe", bpemodel="no.model")],
        "config.yaml: bpemodel: no.model: no such file",
    ),
    Try(
        "teacher-config",
        "a teacher whose cleaner a shell would run",
        lambda p: [p.teacher(cleaner="$(touch PWNED)")],
        "config.yaml: cleaner: '$(touch PWNED)' is none of ESPnet's; there are taco",
    ),
    Try(
        "teacher-config",
        "a teacher whose sampling rate a shell would run",
        lambda p: [p.teacher(feats_extract_conf={"fs": "1;touch PWNED"})],
        "config.yaml: feats_extract_conf.fs: '1;touch PWNED' is no finite number",
    ),
    Try(
        "teacher-config",
        "an option that is no number",
        lambda p: [p.teacher(), "--fmin", "nan"],
        "--fmin: 'nan' is no finite number",
    ),
    Try(
        "teacher-config",
        "another sampling rate than the teacher's",
        lambda p: [p.teacher(), "--fs", 22050],
        "--fs 22050: the teacher was trained with 16000",
    ),
    # inherit
    Try(
        "inherit",
        "speaker ids of a teacher without",
        lambda p: [p.teacher(), "--speakers", p.folder()],
        "was trained without sids",
    ),
    Try(
        "inherit",
        "a teacher whose table of speakers is missing",
        lambda p: [p.teacher(**SPEAKERS), "--speakers", p.folder()],
        "raw/org/tr/spk2sid: no such file",
    ),
    Try(
        "inherit",
        "a teacher without tokens",
        lambda p: [p.teacher(token_list=None), "--token-list", p.file("t")],
        "token_list: the teacher has none",
    ),
    Try(
        "inherit",
        "tokens in Latin-1",
        lambda p: [p.teacher(), "--token-list", p.file("t", LATIN)],
        "t: cannot be read: line 1 is not UTF-8",
    ),
    # recipe-step
    Try("recipe-step", "no such folder", _plan(teacher="no"), "no: no such experiment"),
    Try(
        "recipe-step",
        "a folder without config.yaml",
        lambda p: _plan(teacher=p.folder())(p),
        "no config.yaml in it",
    ),
    Try(
        "recipe-step",
        "two checkpoints of no usual name",
        lambda p: _plan(teacher=_two_checkpoints(p))(p),
        "expected one checkpoint (.pth), found a.pth, b.pth; link the one",
    ),
    Try(
        "recipe-step",
        "a checkpoint whose name a shell would run",
        lambda p: _plan(
            teacher=(
                p.file("e/config.yaml").parent,
                p.file("e/$(touch PWNED).pth"),
            )[0]
        )(p),
        "PWNED).pth' has '$', which a shell reads; rename it",
    ),
    Try(
        "recipe-step",
        "a teacher whose cleaner a shell would run",
        lambda p: _plan(teacher=p.teacher(cleaner="$(touch PWNED)"))(p),
        "config.yaml: cleaner: '$(touch PWNED)' is none of ESPnet's; there are taco",
    ),
    Try(
        "recipe-step",
        "a stage that is no number",
        _plan(stage="two"),
        "--stage two: is no whole number",
    ),
    Try(
        "recipe-step",
        "a truth value that is none",
        _plan(distill="yes"),
        "--distill yes: is neither true nor false",
    ),
    Try(
        "recipe-step",
        "a preset that is none",
        _plan(vocoder_preset="hifigan"),
        "conf/vocoders: no such preset: hifigan",
    ),
    Try(
        "recipe-step",
        "a vocoder to learn from that is none",
        _plan(
            vocoder_preset="istft_nano",
            vocoder_file="no.pkl",
            train_teacher="true",
            teacher_config=SCRIPTS / "conf/train_student.yaml",
        ),
        "--vocoder_preset istft_nano: --vocoder_file no.pkl is no generator to learn",
    ),
    Try(
        "recipe-step",
        "a student's configuration that is no YAML",
        lambda p: _plan(
            student="fastspeech2_nano", student_config=p.file("s.yaml", "tts: [")
        )(p),
        "s.yaml: cannot be read: line 1: ",
    ),
    Try(
        "recipe-step",
        "a student's configuration that is a list",
        lambda p: _plan(student_config=p.file("s.yaml", "- tts"), teacher=p.teacher())(
            p
        ),
        "s.yaml: expected keys and values, got ['tts']",
    ),
    Try(
        "recipe-step",
        "callbacks that are no list",
        lambda p: _plan(
            student_config=p.file("s.yaml", "callbacks: prune"), teacher=p.teacher()
        )(p),
        "s.yaml: callbacks: expected a list, got 'prune'",
    ),
    Try(
        "recipe-step",
        "a speaker's id that is no number",
        lambda p: _plan(
            student_config=p.file("s.yaml", "tts_conf: {spks: 3}"),
            teacher=p.teacher(),
            tts_opts="--use_sid true",
            stage="2",
            test_sets="train",
            valid_set="train",
            train_set=p.file("dump/raw/train/utt2sid", "a one\n").parent.name,
        )(p),
        "dump/raw/train/utt2sid: 'one' is no id; run stage 1 again",
    ),
    Try(
        "recipe-step",
        "a student of speakers without their ids",
        lambda p: _plan(
            teacher=p.teacher(),
            student_config=p.file("s.yaml", "tts_conf: {spks: 3}"),
        )(p),
        's.yaml: tts_conf.spks: requires --tts_opts "--use_sid true"',
    ),
    Try(
        "recipe-step",
        "a student without the teacher's speakers",
        lambda p: _plan(
            teacher=p.several(),
            student_config=p.file("s.yaml", "tts: fastspeech2"),
            tts_opts="--use_sid true",
        )(p),
        "s.yaml: tts_conf.spks: the teacher has 3, the student none; set spks there, or "
        "name one --speaker",
    ),
    Try(
        "recipe-step",
        "a speaker that the teacher does not have",
        lambda p: _plan(teacher=p.several(), speaker="bobb")(p),
        "config.yaml has no such speaker; near: bob",
    ),
    Try(
        "recipe-step",
        "one speaker of a teacher of one",
        lambda p: _plan(teacher=p.teacher(), speaker="bob")(p),
        "config.yaml has one speaker; leave --speaker out",
    ),
    Try(
        "recipe-step",
        "a student of latents and one speaker of a VITS of several",
        _latents_of_one,
        "dump/raw/train/utt2sid: has one value, 1: a student of latents is of several "
        "speakers or languages of ",
    ),
    Try(
        "recipe-step",
        "one speaker of a teacher that is to be trained",
        _plan(train_teacher="true", speaker="bob"),
        "--speaker bob: requires a trained teacher: --train_teacher false --teacher",
    ),
    Try(
        "recipe-step",
        "a speaker whose name is no folder's",
        lambda p: _plan(teacher=p.several(), speaker="a/b")(p),
        "--speaker a/b: has /; folders have its name",
    ),
    Try(
        "recipe-step",
        "a speaker without utterances",
        lambda p: _select(p, "x tim\n", speaker="bob"),
        "dump/raw/train/utt2spk: has no utterance of this speaker; there are tim",
    ),
    Try(
        "recipe-step",
        "pseudo-labels of a speaker without a speaker embedding",
        lambda p: _select(
            p,
            "x tim\n",
            step="write-text-set",
            pseudo_label_text=p.file("more", "y text\n").name,
            tts_opts="--use_spk_embed true",
            embeddings="tam ark:1\n",
        ),
        "spk_espnet_spk.scp: no speaker embedding of tim, which y of more needs; near: "
        "tam",
    ),
    # focused
    Try(
        "attention-durations",
        "nothing decoded",
        lambda p: [p.attentive(), "no", OUT],
        "no/durations: cannot be read",
    ),
    Try(
        "attention-durations",
        "a teacher without attention",
        lambda p: [p.teacher(), p.synthesized(), OUT],
        "fastspeech2 has no attention over the text",
    ),
    Try(
        "attention-durations",
        "focus rates that are no numbers",
        lambda p: [p.attentive(), p.synthesized(focus_rates="b1 high\nb2 low\n"), OUT],
        "focus_rates: ",
    ),
    Try(
        "attention-durations",
        "an utterance without a focus rate",
        lambda p: [p.attentive(), p.synthesized(focus_rates="b1 0.9\n"), OUT],
        "focus_rates: ",
    ),
    Try(
        "attention-durations",
        "a target below a file",
        lambda p: [p.attentive(), p.synthesized(), p.below_a_file()],
        "file is no folder",
    ),
    Try(
        "attention-durations",
        "a `tts` that is a list",
        lambda p: [p.teacher(config=b"{tts: [tacotron2]}"), p.synthesized(), OUT],
        "config.yaml: tts: expected text, got ['tacotron2']",
    ),
    # reading
    Try(
        "pseudo-label",
        "durations in Latin-1",
        lambda p: [p.synthesized(durations=LATIN), p.data(), OUT, "--n-shift", 128],
        "durations: cannot be read: line 1 is not UTF-8",
    ),
    Try(
        "pseudo-label",
        "durations that are no numbers",
        lambda p: [
            p.synthesized(durations="b1 a b\n"),
            p.data(),
            OUT,
            "--n-shift",
            128,
        ],
        "durations: ",
    ),
    Try(
        "pseudo-label",
        "a truncated wav",
        lambda p: [_broken_wav(p), p.data(), OUT, "--n-shift", 128],
        "b2.wav: ",
    ),
    Try(
        "pseudo-label",
        "a source without the text",
        lambda p: [p.synthesized(), p.data(text="b1 two\n"), OUT, "--n-shift", 128],
        "text: ",
    ),
    Try(
        "pseudo-label",
        "an utterance id that leads out of the folder",
        lambda p: [*_decoded_outside(p), OUT, "--n-shift", 128],
        "utterance '../../evil': is no file name",
    ),
    Try(
        "pseudo-label",
        "a blank line in the text",
        lambda p: [
            *(p.synthesized(), p.data(text="b1 two\n\nb2 words here\n"), OUT),
            *("--n-shift", 128),
        ],
        "text: line 2 is blank; remove it",
    ),
    Try(
        "pseudo-label",
        "0 samples a frame",
        lambda p: [p.synthesized(), p.data(), OUT, "--n-shift", 0],
        "--n-shift: 0 is not above 0",
    ),
    Try(
        "pseudo-label",
        "a target below a file",
        lambda p: [p.synthesized(), p.data(), p.below_a_file(), "--n-shift", 128],
        "file is no folder",
    ),
    on_full_disk(
        "pseudo-label",
        "a full disk",
        lambda p: [p.synthesized(), p.data(), p.disk / "out", "--n-shift", 128],
    ),
    # check-text
    Try("check-text", "no such file", lambda p: ["--new", "no"], "no: no such file"),
    Try(
        "check-text",
        "an empty file",
        lambda p: ["--new", p.file("new")],
        "new: is empty; give lines of <utterance> <words>",
    ),
    Try(
        "check-text",
        "blank lines",
        lambda p: ["--new", p.file("new", "a1 yes\n\na2 no\n  \n")],
        "new: line 2, 4: blank; remove it",
    ),
    Try(
        "check-text",
        "an id without words",
        lambda p: ["--new", p.file("new", "a1 yes\na2\n")],
        "new: line 2: 'a2': an id without words",
    ),
    Try(
        "check-text",
        "two lines of one id",
        lambda p: ["--new", p.file("new", "a1 yes\na2 no\na1 no\n")],
        "new: line 3: 'a1': an earlier line has this id",
    ),
    Try(
        "check-text",
        "an id that a recording has",
        lambda p: ["--new", p.file("new", "b1 yes\n"), p.data() / "text"],
        "new: line 1: 'b1': a recording has this id",
    ),
    Try(
        "check-text",
        "an id that leads out of the folder",
        lambda p: ["--new", p.file("new", "../../evil yes\n")],
        "new: line 1: utterance '../../evil': is no file name",
    ),
    Try(
        "check-text",
        "a recording's id that leads out of the folder",
        lambda p: [p.file("text", "b1 yes\n../../evil no\n")],
        "text: line 2: utterance '../../evil': is no file name",
    ),
    Try(
        "check-text",
        "an id that ends with a no-break space",
        lambda p: ["--new", p.file("new", "a1\xa0yes\n")],
        "line 1: 'a1': ends with a blank that is neither space nor tab",
    ),
    Try(
        "check-text",
        "Latin-1",
        lambda p: ["--new", p.file("new", LATIN)],
        "new: cannot be read: line 1 is not UTF-8",
    ),
    Try(
        "check-text",
        "an English cleaner for German text",
        lambda p: [
            *("--token-type", "phn", "--g2p", "espeak_ng_german"),
            *("--cleaner", "tacotron", p.data() / "text"),
        ],
        "cleaner: tacotron is for en, the text is de (g2p espeak_ng_german); take none",
    ),
    Try(
        "check-text",
        "a mistyped g2p",
        lambda p: ["--token-type", "phn", "--g2p", "espeak_german", p.data() / "text"],
        "g2p: ESPnet has no espeak_german; near: espeak_ng_german",
    ),
    # prepare-text
    Try(
        "prepare-text",
        "an unknown voice",
        lambda p: [p.data(), "--voice", "de-de"],
        "voice 'de-de': espeak-ng has no such language; near: ",
    ),
    Try(
        "prepare-text",
        "a language that is no code",
        lambda p: [p.data(), "--language", "german"],
        "language 'german': expected a code of ISO 639, such as en or de",
    ),
    Try(
        "prepare-text",
        "an utterance without words",
        lambda p: [p.data(text="b1 ...\n"), "--language", "de"],
        "text: b1: '...': has no words; remove it",
    ),
    # select-text
    Try(
        "select-text",
        "no sentence",
        lambda p: [p.data() / "text", p.root / "out", "--num", "0", *ENGLISH_LETTERS],
        "--num: 0 is not above 0",
    ),
    Try(
        "select-text",
        "an id twice",
        lambda p: [
            p.data(text="b1 a\nb1 b\n") / "text",
            *(p.root / "out", "--num", "1", *ENGLISH_LETTERS),
        ],
        "line 2: 'b1': an earlier line has this id; make it unique",
    ),
    Try(
        "select-text",
        "only sentences of the test set",
        lambda p: [
            *(p.data() / "text", p.root / "out", "--num", "1", *ENGLISH_LETTERS),
            *("--exclude", p.root / "data"),
        ],
        "text: has no sentence that --exclude and --covered have not",
    ),
    # new-recipe
    *(
        Try("new-recipe", what, lambda p, made=made: made(p), message, needs=ESPEAK)
        for what, made, message in [
            (
                "a mistyped g2p",
                lambda p: p.recipe("espeak_ng_englsh"),
                "--g2p espeak_ng_englsh: is none of ESPnet's; near: espeak_ng_english_us",
            ),
            (
                "no language for espeak-ng",
                lambda p: p.recipe("espeak_ng"),
                "--g2p espeak_ng: name the --language, too, such as de",
            ),
            (
                "an unknown language",
                lambda p: [*p.recipe("espeak_ng"), "--language", "xy"],
                "--language: voice 'xy': espeak-ng has no such language; near: ",
            ),
            (
                "a language in words",
                lambda p: [*p.recipe("none"), "--language", "german"],
                "--language 'german': expected a code of ISO 639, such as en or de",
            ),
            (
                "a g2p of another language",
                lambda p: [*p.recipe(), "--language", "fr"],
                "--language fr: --g2p espeak_ng_german is for de; name one of both",
            ),
            (
                "a folder that is not empty",
                lambda p: [p.file("egs/run.sh").parent, *p.recipe()[1:]],
                "egs: exists and is not empty; name a new folder",
            ),
            (
                "a folder below a file",
                lambda p: [p.below_a_file(), *p.recipe()[1:]],
                "file is no folder; name another place",
            ),
            (
                "a name that a shell reads",
                lambda p: [p.root / "a;b" / "tts1", *p.recipe()[1:]],
                "'a;b' has ';', which a shell reads; rename it",
            ),
            (
                "no metadata",
                lambda p: [*p.recipe(), "--metadata", "no.csv"],
                "--metadata: no.csv is no file",
            ),
            (
                "no folder of recordings",
                lambda p: [*p.recipe(), "--wavs", "no"],
                "--wavs: no is no folder",
            ),
            (
                "no recordings in it",
                lambda p: p.recipe(recordings=0),
                "wavs: has no recordings (WAV, FLAC, …)",
            ),
            (
                "a line without its recording",
                lambda p: p.recipe(recordings=19),
                "line 20: expected one recording of 'c19' in ",
            ),
            (
                "several speakers",
                lambda p: p.recipe(metadata=_some_words("a|Ein", "b|Ein")),
                "its second field seems to be a speaker (a, b); write the lines of one",
            ),
            (
                "few clips",
                lambda p: p.recipe(count=19),
                "metadata.csv: has 19 recordings of at most 20 s, expected at least 20",
            ),
            (
                "recordings without voice",
                lambda p: p.recipe(wave=np.zeros(RATE)),
                "c0.wav: no voice in it and in 19 others (F0 from 60 to 700 Hz); check",
            ),
            (
                "a sampling rate of no mels",
                lambda p: [*p.recipe(), "--fs", 44100],
                "--fs 44100: expected 16000, 22050, 24000",
            ),
            (
                "a sampling rate above that of the corpus",
                lambda p: [*p.recipe(), "--fs", 24000],
                "--fs 24000: the corpus has recordings at 16000 Hz; take others",
            ),
            (
                "a speaker of two words",
                lambda p: [*p.recipe(), "--speaker", "two words"],
                "--speaker: 'two words' is no single word; rename it",
            ),
            (
                "0 steps",
                lambda p: [*p.recipe(), "--steps", 0],
                "--steps: 0 is not above 0",
            ),
            (
                "a text without words",
                lambda p: p.recipe(metadata=_some_words("...")),
                "metadata.csv: c0: '...': has no words; remove it",
            ),
        ]
    ),
    # espnet-root
    Try(
        "espnet-root",
        "`$ESPNET_ROOT` without recipes",
        lambda p: [],
        "has no egs2/TEMPLATE/tts1/tts.sh",
        environment=lambda p: {"ESPNET_ROOT": str(p.root)},
    ),
    Try(
        "espnet-root",
        "a cache below a file",
        lambda p: [],
        "cannot keep ESPnet's recipes there",
        environment=lambda p: {"ESPNET_ROOT": "", "XDG_CACHE_HOME": p.below_a_file()},
    ),
]


def _some_words(*first: str) -> str:
    """Return metadata of 20 clips that begins with these texts in turn."""
    texts = [*first * 10] if len(first) > 1 else [*first, *["Ein Satz."] * 19]
    return "".join(f"c{number}|{text}\n" for number, text in enumerate(texts))


def _numbered(place: Place) -> Path:
    path = place.train()
    conf = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(conf | {"teacher": [7]}))
    return path


def _decoded_outside(place: Place) -> list[Path]:
    """Speech of an utterance whose id leads out of the folder, and its text."""
    decoded = place.synthesized(durations="../../evil 3 4\n")
    place.file("decoded/valid/wav/wav.scp", f"../../evil {decoded}/wav/b1.wav\n")
    text = {name: "../../evil two\n" for name in ("text", "utt2spk")}
    return [decoded, place.data(**text)]


def _data_outside(place: Place) -> Path:
    wav = place.file("b1.wav")
    return place.data(text="../../evil two\n", wav_scp=f"../../evil {wav}\n")


def _resumable(place: Place) -> Path:
    path = place.teacher() / "checkpoint.pth"
    torch.save({"model": {}, "optimizers": []}, path)
    return path


def _vocoder(place: Place) -> Path:
    path = place.root / "generator_v1"
    torch.save({"generator": Bomb(place.root / "exploded")}, path)
    config = {
        "resblock": "1",
        "upsample_rates": [8, 16],
        "upsample_kernel_sizes": [16, 32],
        "upsample_initial_channel": 8,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1]],
        "num_mels": 20,
        "n_fft": 512,
        "hop_size": 128,
        "win_size": 512,
        "sampling_rate": RATE,
        "fmin": 80,
        "fmax": 7600,
    }
    place.file("config.json", json.dumps(config))
    return path


def _normalized(place: Place, **changes) -> Path:
    """A teacher with statistics some of whose numbers are others."""
    path = place.statistics(**changes)
    return place.teacher(normalize_conf={"stats_file": str(path)})


JOINED = {
    "token_type": "phn",
    "g2p": "espeak_ng_german",
    "token_list": [*TOKENS[:4], ",k", *TOKENS[5:]],
}


def _vocoder_option(place: Place) -> list:
    return ["--vocoder", place.vocoder()]


def _without_unknown(place: Place) -> Path:
    tokens = [TOKENS[0], "<oov>", *TOKENS[2:]]
    return place.train(teacher=place.teacher(token_list=tokens), token_list=tokens)


def _parallel(place: Place) -> Path:
    folder = place.teacher("parallel")
    state = torch.load(folder / CHECKPOINT, weights_only=True)
    named = {f"module.{key}": value for key, value in state.items()}
    torch.save(named, folder / CHECKPOINT)
    return folder


def _two_checkpoints(place: Place) -> Path:
    for name in ("config.yaml", "b.pth", "a.pth"):
        place.file(f"two/{name}")
    return place.root / "two"


def _broken_wav(place: Place) -> Path:
    folder = place.synthesized()
    path = folder / "wav" / "b2.wav"
    path.write_bytes(path.read_bytes()[:20])
    return folder


def table() -> str:
    """Return the tries as a Markdown table for docs/reliability.md."""
    lines = ["| command | input | error message |", "|---|---|---|"]
    lines += [
        f"| `{item.command}` | {item.what} | {_code(item.message.strip())} |"
        for item in TRIES
    ]
    return "\n".join(lines) + "\n"


def _code(words: str) -> str:
    return f"`` {words} ``" if "`" in words else f"`{words}`"
