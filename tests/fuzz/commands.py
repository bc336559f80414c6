"""Commands that work in the folder of :mod:`world`, and the files that each reads."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from espnet_distill.cli import main as cli

from ..recipes.run_options import run_options

STATISTICS = tuple(
    f"corpus/stats/train/{name}_stats.npz" for name in ("feats", "pitch", "energy")
)
DATA = ("data/text", "data/wav.scp", "data/durations", "corpus/valid/b1.wav")
HIFIGAN = ("hifigan/config.yml", "hifigan/checkpoint.pkl")
SPOKEN = "exp/teacher/decode/data/wav/b1.wav"
TABLE = ("evaluation/table.json", "evaluation/scores.csv")
ANSWERS = ("answers_1.json", "answers_2.json")
OUT = "out"


def _files(experiment: str) -> tuple[str, str]:
    """Configuration and checkpoint."""
    return f"exp/{experiment}/config.yaml", f"exp/{experiment}/train.loss.ave.pth"


TEACHER = _files("teacher")


@dataclass(frozen=True)
class Command:
    """Something to run.

    Attributes:
        name: Of the command or program.
        arguments: With which it works.
        files: What it reads, patterns below the folder.
        weight: How often it is drawn.
        main: Takes the arguments; by default that of the command line.
        leaves: Patterns of what a refusal may leave: whole files that the next run
            goes on from.
    """

    name: str
    arguments: tuple[str, ...]
    files: tuple[str, ...]
    weight: float = 1.0
    main: Callable[[list[str]], int | None] | None = None
    leaves: tuple[str, ...] = ()

    def run(self, arguments: list[str]) -> int:
        """Return the exit status."""
        if self.main is None:
            return cli.main([self.name, *arguments])
        return self.main(arguments) or 0


def _train(arguments: list[str]) -> None:
    """What a training checks before anything is built."""
    from espnet_distill.tasks.text2mel import DistillTTSTask

    _require_arguments(DistillTTSTask, arguments)


def _train_vocoder(arguments: list[str]) -> None:
    from espnet_distill.tasks.mel2wav import DistillGANTTSTask

    _require_arguments(DistillGANTTSTask, arguments)


def _require_arguments(task, arguments: list[str]) -> None:
    args = task.get_parser().parse_args(arguments)
    task.check_required_command_args(args)


def _program(name: str) -> Callable[[list[str]], None]:
    def main(arguments):
        from importlib import import_module

        return import_module(f"espnet_distill.{name}").main(arguments)

    return main


def _data(name: str) -> tuple[str, ...]:
    source = Path("corpus") / name
    files = ("text,text,text", "wav.scp,speech,sound", "durations,durations,text_int")
    given = [("--data_path_and_name_and_type", str(source / item)) for item in files]
    return sum(given, ())


def _training(*options: str) -> tuple[str, ...]:
    words = []
    for name in ("train", "valid"):
        for option, value in zip(_data(name)[::2], _data(name)[1::2]):
            words += [option.replace("--", f"--{name}_"), value]
        shape = f"corpus/stats/{name}/speech_shape"
        words += [f"--{name}_shape_file", shape]
    return (*words, *options, "--output_dir", "exp/new")


PRESSURE = ("--pressure", "0.45")
HELD = ("--data", "data", "--durations", "data/durations")
DUMP = ("--config", "train_dumped.yaml", "--output_dir", "new/valid")
DUMPED = tuple(
    f"dump/{name}/teacher/{file}"
    for name in ("train", "valid")
    for file in ("manifest.yaml", "text", "*.scp", "*.bytes", "data/*/*.npy")
)
WAVES = tuple(
    f"waves/{name}/{file}"
    for name in ("train", "valid")
    for file in ("manifest.yaml", "*.scp", "*/*.npy", "*/*.wav")
)

COMMANDS = (
    Command("check", ("train.yaml",), ("train.yaml", *TEACHER, *STATISTICS), 5),
    Command(
        "check",
        ("train_dumped.yaml", *_training()[:-2]),
        ("train_dumped.yaml", *DUMPED, "corpus/train/text", "corpus/train/durations"),
        3,
    ),
    Command(
        "check",
        ("--vocoder", "hifigan/checkpoint.pkl", "train.yaml"),
        HIFIGAN,
    ),
    Command("check", ("train_vocoder.yaml",), ("train_vocoder.yaml", *WAVES), 3),
    Command(
        "train",
        _training("--config", "train_dumped.yaml"),
        ("train_dumped.yaml", *DUMPED, *TEACHER),
        2,
        _train,
    ),
    Command(
        "train_vocoder",
        ("--config", "train_vocoder.yaml", "--output_dir", "exp/new"),
        ("train_vocoder.yaml", *WAVES, *TEACHER),
        2,
        _train_vocoder,
    ),
    Command("derive", ("exp/teacher", OUT, *PRESSURE), (*TEACHER, *STATISTICS), 1.5),
    Command(
        "derive",
        ("exp/teacher", OUT, "--student-config", "train.yaml"),
        ("train.yaml",),
    ),
    Command(
        "derive",
        ("exp/teacher", OUT, *PRESSURE, "--importance", "taylor", *HELD),
        DATA,
        0.7,
    ),
    Command("prune", ("exp/teacher", OUT, *PRESSURE), TEACHER, 1.5),
    Command("prune", ("exp/teacher", OUT, *PRESSURE, *HELD), DATA),
    Command("prune", ("exp/teacher", OUT, *PRESSURE, "--low-rank"), TEACHER, 0.5),
    Command("compact", ("exp/pruned", OUT), _files("pruned")),
    Command("compact", ("packed.zip", OUT), ("packed.zip",)),
    Command(
        "extract-vocoder",
        ("exp/vocoder", OUT),
        _files("vocoder"),
        2,
    ),
    Command("extract-vocoder", ("exp/joint", OUT), _files("joint")),
    Command("extract-text2mel", ("exp/joint", OUT), _files("joint")),
    Command(
        "derive",
        ("exp/joint", OUT, "--student-config", "train.yaml"),
        (*_files("joint"), "train.yaml"),
        0.5,
    ),
    Command(
        "prune",
        ("exp/vits", OUT, "--pressure", "0.05", "--low-rank", "--data", "data"),
        (*_files("vits"), "data/text"),
    ),
    Command("import-piper", ("piper/voice.onnx", OUT), ("piper/voice.onnx*",), 2),
    Command(
        "replace-decoder",
        ("exp/vits", "exp/decoder", OUT),
        (*_files("vits"), *_files("decoder")),
        2,
    ),
    Command(
        "evaluate",
        (
            *("exp/teacher", "exp/student", "--data", "data", "--out", OUT),
            *("--metrics", "mcd", "--durations", "data/durations"),
        ),
        (*DATA, SPOKEN, "exp/teacher/decode/data/scoring/*/*.txt", *TEACHER),
        1.5,
        leaves=("out",),
    ),
    Command(
        "report",
        ("evaluation",),
        (
            *(*TABLE, *TABLE, "evaluation/text", "evaluation/wav/teacher/b1.wav"),
            *("exp/teacher/config.yaml", "exp/teacher/train.log"),
            "exp/student/distill.yaml",
        ),
        2,
    ),
    Command(
        "bench",
        (
            *("exp/student", "--repeats", "1", "--threads", "1", "--out", OUT),
            *("--data", "data"),
        ),
        ("data/text", *_files("student")),
        0.7,
    ),
    Command(
        "bench",
        (
            *("exp/student", "--repeats", "1", "--threads", "1"),
            *("--sentences", "sentences", "--vocoder", _files("vocoder")[1]),
        ),
        ("sentences", *_files("vocoder")),
        0.7,
    ),
    Command(
        "export",
        (
            *("exp/student", OUT, "--vocoder", _files("vocoder")[1]),
            *("--data", "data", "--sample", "ab", "--weights", "fp32"),
        ),
        (*_files("student"), *_files("vocoder"), "data/text"),
        0.5,
    ),
    Command(
        "synthesize",
        ("voice", "sentences", "--out", f"{OUT}.wav"),
        ("voice/voice.onnx", "voice/voice.onnx.json", "sentences"),
        2,
    ),
    Command(
        "report",
        ("evaluation", "--blind", "--trials", "2"),
        (*TABLE, "evaluation/text", "evaluation/wav/*/b1.wav"),
    ),
    Command("summarize-seeds", ("evaluation", "--csv", "runs.csv"), TABLE, 3),
    Command("summarize-blind", ANSWERS, ANSWERS, 2),
    Command("unpack", ("packed.zip", OUT), ("packed.zip",), 2),
    Command("teacher-config", ("exp/teacher", "--fs", "16000"), TEACHER[:1], 3),
    Command(
        "inherit",
        ("exp/teacher", "--token-list", "corpus/tokens.txt"),
        (*TEACHER[:1], "corpus/tokens.txt"),
        2,
    ),
    Command(
        "inherit",
        ("exp/teacher", "--statistics", "corpus/stats/valid"),
        (*TEACHER[:1], *STATISTICS),
        2,
    ),
    Command(
        "inherit",
        ("exp/speakers", "--speakers", "data"),
        ("exp/speakers/config.yaml", "raw/org/train/spk2sid", "data/utt2spk"),
    ),
    Command(
        "recipe-step",
        ("plan", *run_options(teacher="exp/teacher", student_config="train.yaml")),
        (*TEACHER, "train.yaml"),
    ),
    Command(
        "attention-durations",
        ("exp/tacotron2", "decoded/valid", OUT),
        (
            *("exp/tacotron2/config.yaml", "decoded/valid/durations"),
            "decoded/valid/focus_rates",
        ),
        2,
    ),
    Command(
        "pseudo-label",
        ("decoded/valid", "data", OUT, "--n-shift", "128"),
        (
            *("decoded/valid/durations", "decoded/valid/wav/wav.scp"),
            *("decoded/valid/wav/b1.wav", "data/text", "data/utt2spk"),
        ),
        2,
    ),
    Command(
        "check-text",
        ("--new", "data/text", "corpus/train/text"),
        ("data/text", "corpus/train/text"),
    ),
    Command(
        "prepare-text",
        ("data/text", "--language", "en", "--out", OUT),
        ("data/text",),
    ),
    Command(
        "select-text",
        ("data/text", OUT, "--num", "2", "--g2p", "none", "--language", "en"),
        ("data/text",),
    ),
    Command(
        "list-clips",
        ("clips", OUT, "--speaker", "one"),
        ("clips/metadata.csv", "clips/wavs/b1.wav"),
    ),
    Command(
        "new-recipe",
        (
            *(OUT, "--metadata", "corpus20/metadata.csv", "--wavs", "corpus20/wavs"),
            *("--g2p", "none", "--language", "en"),
        ),
        ("corpus20/metadata.csv", "corpus20/wavs/*1.wav"),
        2,
    ),
    Command(
        "init",
        ("recipe",),
        ("recipe/run.sh", "recipe/exp/tts_train/config.yaml"),
        2,
    ),
    Command(
        "dump",
        (*DUMP, *_data("valid"), "--key_file", "data/text"),
        (
            *("train_dumped.yaml", "corpus/valid/text", "corpus/valid/durations"),
            "data/text",
        ),
        0.5,
        _program("bin.dump_teacher"),
        leaves=("new",),
    ),
    Command(
        "finish_dump",
        (*DUMP[:2], "--output_dir", "dump/valid", "--text", "data/text"),
        (*DUMPED, "data/text", "dump/valid/teacher/begun.yaml"),
        2,
        _program("bin.finish_dump"),
        leaves=("dump",),
    ),
    Command(
        "dump_waves",
        (
            *("--config", "exp/teacher/config.yaml", "--wav_scp", "data/wav.scp"),
            *("--output_dir", "new", "--key_file", "data/text"),
        ),
        (TEACHER[0], "data/wav.scp", "data/text", "corpus/valid/b1.wav"),
        main=_program("bin.dump_waves"),
        leaves=("new",),
    ),
)
