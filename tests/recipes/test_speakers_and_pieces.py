"""Several speakers, identified by ids, and text in sentencepieces, through mini_an4."""

import json

import numpy as np
import pytest
import soundfile
import torch
import yaml
from espnet2.tasks.tts import TTSTask
from sentencepiece import SentencePieceProcessor

from espnet_distill.cli import main as cli
from espnet_distill.data.utterances import batches_of_one, read_data
from espnet_distill.teachers.online import OnlineTeacher
from espnet_distill.utils.files import read_durations, read_table

from ..conftest import load_stock, run_python
from ..vocoders.big import save_hifigan
from .mini_an4 import copy_recipe, run, tacotron2, two_updates

EXP = "exp/speakers"
SCRIPT = "./run_multispeaker.sh"
TOKENS = "dump/speakers/token_list/bpe/tokens.txt"
BPEMODEL = "dump/speakers/token_list/bpe/bpe.model"
NUM_PIECES = 28
BOTH = f"--token_type bpe --nbpe {NUM_PIECES} --nj 1 --inference_nj 1".split()
BOTH += ["--test_sets", "test_mwhw"]


def succeed(*arguments, **options):
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The recipe's folder after all stages but the evaluation, with both."""
    recipe = copy_recipe(tmp_path_factory.mktemp("recipes"))
    succeed(recipe, *BOTH, "--stop_stage", 7, script=SCRIPT)
    succeed(recipe, *BOTH, "--stage", 9, script=SCRIPT)
    return recipe


@pytest.fixture
def recipe(made, monkeypatch):
    monkeypatch.chdir(made)  # ESPnet names files by relative paths
    return made


def config_of(name):
    with open(f"{EXP}/{name}/config.yaml", encoding="utf-8") as file:
        return yaml.safe_load(file)


def test_tokens_are_the_pieces(recipe):
    pieces = SentencePieceProcessor(model_file=BPEMODEL)
    known = [pieces.id_to_piece(index) for index in range(pieces.get_piece_size())]
    assert len(known) == NUM_PIECES
    tokens = (recipe / TOKENS).read_text("utf-8").splitlines()
    assert tokens == ["<blank>", "<unk>", *known[3:], "<sos/eos>"]
    text = (recipe / "data/train_speakers/text").read_text().split(maxsplit=1)[1]
    assert any(len(piece) > 2 for piece in pieces.encode(text, out_type=str))
    for name in ("teacher", "student"):
        config = config_of(name)
        assert config["token_list"] == tokens
        assert (config["token_type"], config["bpemodel"]) == ("bpe", BPEMODEL)


def test_the_dump_is_of_each_utterances_speaker(recipe):
    teacher = OnlineTeacher(f"{EXP}/teacher", ("mel_after",))
    data = recipe / "dump/speakers/raw/train_speakers"
    utterances = read_data(data)
    durations = read_durations(f"{EXP}/alignment/train_speakers/durations", utterances)
    speakers = read_table(data / "utt2sid")
    assert set(speakers.values()) == set("12345")
    read = TTSTask.build_preprocess_fn(teacher.args, False)
    dumped = read_table(f"{EXP}/teacher_dump/train/teacher/mel_after.scp")
    for utt, batch in batches_of_one(teacher.model, read, utterances, durations, data):
        mel = np.load(dumped[utt]).astype(np.float32)
        error = {}
        for sid in range(1, 6):
            batch["sids"] = torch.tensor([[sid]])
            synthesized = teacher(batch)["mel_after"][0].numpy()
            error[str(sid)] = np.abs(synthesized - mel).mean()
        assert min(error, key=error.get) == speakers[utt]
        assert sorted(error.values())[1] > 3 * error[speakers[utt]]


SYNTHESIZE = """
import json, sys
import numpy as np
from espnet2.bin.tts_inference import Text2Speech
from espnet2.main_funcs.pack_funcs import unpack

archive, words = sys.argv[1:]
paths = unpack(archive, "unpacked")
text2speech = Text2Speech(**paths)
outputs = {str(i): text2speech(words, sids=np.array([i])) for i in range(6)}
mels = {name: output["feat_gen"].numpy() for name, output in outputs.items()}
np.savez("mels.npz", **mels)
assert not any(name.startswith("espnet_distill") for name in sys.modules)
print(json.dumps(text2speech.train_args.bpemodel))
"""


def test_stock_espnet_synthesizes_with_the_packed_student(recipe, tmp_path):
    """In another folder: equal to the recipe's output; another speaker differs."""
    (archive,) = recipe.glob(f"{EXP}/student/*.zip")
    done = run_python("-c", SYNTHESIZE, archive, "START", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-5000:]
    assert json.loads(done.stdout.splitlines()[-1]) == f"unpacked/{BPEMODEL}"
    decoded = f"{EXP}/student/student_decode/test_mwhw"
    ((_, path),) = read_table(f"{decoded}/norm/feats.scp").items()
    mels = np.load(tmp_path / "mels.npz")

    def is_as_decoded(mel):
        expected = np.load(path)
        return mel.shape == expected.shape and np.allclose(mel, expected, atol=1e-4)

    assert [is_as_decoded(mels[str(sid)]) for sid in range(6)] == 5 * [False] + [True]


def test_teacher_config_prints_the_sentencepiece_model(recipe, capsys):
    assert cli.main(["teacher-config", f"{EXP}/teacher"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert {"token_type=bpe", f"bpemodel={BPEMODEL}"} <= set(printed)


def test_check_requires_sentencepieces_and_speakers(recipe, capsys):
    train = f"{EXP}/student/train.yaml"
    options = ["--token_list", TOKENS, "--token_type", "bpe", "--bpemodel"]
    features = yaml.safe_load((recipe / EXP / "student/config.yaml").read_text())
    for kind in ("feats", "pitch"):
        for key, value in features[f"{kind}_extract_conf"].items():
            if key in ("fs", "n_fft", "hop_length", "fmin", "fmax", "f0min", "f0max"):
                options[:0] = [f"--{kind}_extract_conf", f"{key}={value}"]
    assert cli.main(["check", train, *options, BPEMODEL]) == 0
    data = "--train_data_path_and_name_and_type"
    text = "dump/speakers/raw/train_speakers/text,text,text"
    capsys.readouterr()
    assert cli.main(["check", "--planned", train, data, text, *options, "no"]) == 2
    bpemodel, speakers = capsys.readouterr().err.splitlines()
    assert "bpemodel: no: no such file" in bpemodel
    assert "has 6, which requires sids among the data, which are text" in speakers


def teacher_of(recipe, **changes):
    """Write the files of a trained teacher that the scripts use."""
    folder = recipe / "exp/given"
    folder.mkdir(parents=True)
    config = {"tts": "fastspeech2", "tts_conf": {}, "token_type": "char"} | changes
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "train.loss.ave.pth").touch()
    return ["--train_teacher", "false", "--teacher", "exp/given"]


@pytest.mark.parametrize(
    "teacher, options, line",
    [
        (
            {"tts_conf": {"spks": 3}},
            [],
            'exp/given/config.yaml: tts_conf.spks: requires --tts_opts "--use_sid true"',
        ),
        (
            {"tts_conf": {"spks": 3}},
            ["--tts_opts", "--use_sid true", "--stage", 2],
            "dump/raw/train/utt2sid: no such file; --use_sid true makes it in stage 1",
        ),
        (
            {"token_type": "bpe", "bpemodel": "missing/bpe.model"},
            ["--token_type", ""],
            "exp/given/config.yaml: bpemodel: missing/bpe.model: no such file; put the "
            "sentencepiece model there, or name its place",
        ),
        (
            None,
            ["--token_type", "bpe", "--bpemodel", "missing/bpe.model"],
            "--bpemodel missing/bpe.model: no missing/bpe.model; spm_train writes both",
        ),
        (
            None,
            ["--token_type", "bpe", "--stage", 2],
            "dump/token_list/bpe/bpe.model: no such file; run stage 1",
        ),
        (
            None,
            ["--bpemodel", "bpe.model"],
            "--bpemodel bpe.model: requires --token_type bpe, got char",
        ),
    ],
)
def test_missing_front_end_or_ids_are_refused_in_one_line(
    tmp_path, teacher, options, line
):
    recipe = copy_recipe(tmp_path)
    given = [] if teacher is None else teacher_of(recipe, **teacher)
    done = run(recipe, *given, *options)
    assert done.returncode == 2, done.stdout[-5000:] + done.stderr[-5000:]
    assert done.stderr.count("\n") == 1 and done.stderr.endswith(f"{line}\n")
    assert not (recipe / "data").exists()


def test_too_few_speakers_are_one_line(made):
    conf = (made / "conf/tuning/train_student_multispeaker.yaml").read_text()
    (made / "conf/few.yaml").write_text(conf.replace("spks: 6", "spks: 5"))
    options = [*BOTH, "--stage", 2, "--student_config", "conf/few.yaml"]
    options += ["--student_tag", "few"]
    done = run(made, *options, script=SCRIPT)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.endswith(
        "conf/few.yaml: tts_conf.spks: 5 has no room for id 5 of "
        "dump/speakers/raw/train_speakers/utt2sid\n"
    )


@pytest.mark.slow
def test_a_student_of_one_speaker(made, monkeypatch):
    """Of the teacher of all: in its voice, with pseudo-labels, without speaker ids."""
    pytest.importorskip("faster_whisper")
    (made / "more").write_text("more_a START\nmore_b YES\n")
    options = ["--speaker", "mwhw", "--train_teacher", "false", "--teacher"]
    options += [f"{EXP}/teacher", "--pseudo_label_text", "more", "--stage", 3]
    done = succeed(made, *BOTH, *options, "--warm_start", "true", script=SCRIPT)
    assert (
        "The embedding of mwhw is folded into encoder.after_norm.bias." in done.stderr
    )
    monkeypatch.chdir(made)
    raw = made / "dump/speakers/raw"
    assert set(read_table(raw / "train_speakers_mwhw/utt2spk").values()) == {"mwhw"}
    labels = read_table(raw / "train_speakers_mwhw_more_mwhw/utt2spk")
    assert labels["more_a"] == labels["more_b"] == "mwhw"
    assert "spks" not in config_of("student_mwhw")["tts_conf"]
    table = json.loads((made / EXP / "evaluation_mwhw/table.json").read_text())
    assert [row["name"] for row in table["rows"]][1:] == ["teacher", "student_mwhw"]
    folded = load_stock(made / EXP / "teacher_mwhw", "model.pth").eval()
    several = load_stock(made / EXP / "teacher").eval()
    text = torch.arange(3, 9)
    options = {"use_teacher_forcing": False}
    expected = several.inference(text, sids=torch.tensor([5]), **options)["feat_gen"]
    mel = folded.inference(text, **options)["feat_gen"]
    torch.testing.assert_close(mel, expected, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_pseudo_labels_of_all_speakers(made):
    (made / "texts").write_text("".join(f"text_{i} YES\n" for i in range(5)))
    options = ["--train_teacher", "false", "--teacher", f"{EXP}/teacher", "--stage", 3]
    options += ["--pseudo_label_text", "texts", "--student_tag", "labeled"]
    succeed(made, *BOTH, *options, "--stop_stage", 6, script=SCRIPT)
    ids = read_table(made / "dump/speakers/raw/train_speakers_texts/utt2sid")
    assert sorted(ids[f"text_{i}"] for i in range(5)) == list("12345")


@pytest.mark.slow
def test_each_speaker_is_evaluated(tmp_path):
    pytest.importorskip("faster_whisper")
    recipe = copy_recipe(tmp_path)
    succeed(recipe, "--stop_stage", 8, script=SCRIPT)
    for_mwhw = "--stage 8 --stop_stage 8 --test_sets test_mwhw --evaldir".split()
    succeed(recipe, *for_mwhw, f"{EXP}/evaluation_mwhw", script=SCRIPT)
    for place, text in {"evaluation": "YES", "evaluation_mwhw": "START"}.items():
        table = json.loads((recipe / EXP / place / "table.json").read_text())
        rows = {row["name"]: row for row in table["rows"]}
        assert rows["teacher"]["mel_error"] > 0 and rows["student"]["mel_error"] > 0
        assert text in (recipe / EXP / place / "text").read_text()


@pytest.mark.slow
def test_student_inherits_pieces_and_ids_of_a_packed_teacher(made, tmp_path):
    """In a recipe of fewer speakers, whose own ids would differ."""
    recipe = copy_recipe(tmp_path)
    (packed,) = made.glob(f"{EXP}/student/*.zip")
    options = f"--train_teacher false --teacher {packed} --train_set train --nj 1"
    options += " --test_sets test_fash --stop_stage 7"
    done = succeed(recipe, *options.split(), "--token_type", "", script=SCRIPT)
    assert "unknown to the teacher" not in done.stdout
    given = yaml.safe_load((made / EXP / "student/config.yaml").read_text())
    config = yaml.safe_load((recipe / EXP / "student/config.yaml").read_text())
    assert config["token_list"] == given["token_list"]
    assert config["bpemodel"] == BPEMODEL
    assert (recipe / BPEMODEL).read_bytes() == (made / BPEMODEL).read_bytes()
    ids = read_table(recipe / "dump/speakers/raw/train/utt2sid")
    assert {name.split("-")[0]: sid for name, sid in ids.items()} == {
        "fash": "1",
        "fbbh": "2",
        "mwhw": "5",  # in this recipe alone it would be 3
    }


@pytest.mark.slow
def test_a_tacotron2_of_several_speakers_gives_durations(made):
    """Its focused utterances keep their ids, and the packed student their table."""
    (made / "conf/train_tacotron2.yaml").write_text(tacotron2(spks=6))
    train = "--teacher_config conf/train_tacotron2.yaml --student_tag unused"
    train += " --expdir exp/attentive --objectives_config conf/mel.yaml"
    (made / "conf/mel.yaml").write_text("distill_conf: {objectives: [{type: mel}]}")
    succeed(made, *BOTH, *train.split(), "--stage", 2, "--stop_stage", 4, script=SCRIPT)
    options = "--train_teacher false --teacher exp/attentive/teacher --stage 2"
    options += " --durations_from teacher --least_focus_rate 0 --expdir exp/focused"
    options += " --objectives_config conf/mel.yaml"
    for stages in (["--stop_stage", 6], ["--stage", 9]):
        succeed(made, *BOTH, *options.split(), *stages, script=SCRIPT)
    ids = read_table(made / "dump/speakers/raw/train_speakers_focused/utt2sid")
    assert sorted(ids.values()) == list("12345")
    (packed,) = made.glob("exp/focused/student/*.zip")
    assert cli.main(["unpack", str(packed), str(made / "unpacked")]) == 0
    table = "dump/speakers/raw/org/train_speakers/spk2sid"
    assert (made / "unpacked/spk2sid").read_bytes() == (made / table).read_bytes()


@pytest.mark.slow
def test_invalid_nbpe_is_refused_in_one_line(tmp_path):
    recipe = copy_recipe(tmp_path)
    done = run(recipe, "--nbpe", 400, "--stop_stage", 1, script="./run_bpe.sh")
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith("./distill.sh: error: --nbpe 400: RuntimeError: ")
    assert "Vocabulary size too high (400)" in line and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_pruned_student_of_pieces_is_packed_with_them(tmp_path):
    recipe = copy_recipe(tmp_path)
    conf = yaml.safe_load((recipe / "conf/train_student.yaml").read_text())
    prune = {"type": "prune", "pressure": 0.3, "start": 2, "end": 6, "interval": 1}
    (recipe / "conf/pruned.yaml").write_text(
        yaml.safe_dump(conf | {"callbacks": [prune]})
    )
    options = ["--student_config", "conf/pruned.yaml", "--student_tag", "pruned"]
    succeed(recipe, *options, "--stop_stage", 6, script="./run_bpe.sh")
    succeed(recipe, *options, "--stage", 9, script="./run_bpe.sh")
    (archive,) = recipe.glob("exp/bpe/pruned_compact/*.zip")
    assert cli.main(["unpack", str(archive), str(tmp_path / "out")]) == 0
    config = tmp_path / "out/config.yaml"
    bpemodel = yaml.safe_load(config.read_text())["bpemodel"]
    assert bpemodel == str(tmp_path / "out/bpe.model")
    assert SentencePieceProcessor(model_file=bpemodel).encode("YES")


@pytest.mark.slow
def test_student_of_speakers_and_pieces_with_its_vocoder(made, tmp_path):
    student = yaml.safe_load((made / EXP / "student/config.yaml").read_text())
    big = save_hifigan(tmp_path, student["feats_extract_conf"], [16, 16])
    options = [*two_updates(made), "--vocoder_file", big, "--stage", 10]
    succeed(made, *BOTH, *options, script=SCRIPT)
    table = json.loads((made / EXP / "evaluation_pair/table.json").read_text())
    assert [row["name"] for row in table["rows"]][2:] == ["student", "student_pair"]
    first, second = (
        soundfile.read(wav)[0]
        for name in ("student_pair", "student")
        for wav in made.glob(f"{EXP}/{name}/student_decode/test_mwhw/wav/*.wav")
    )
    assert len(first) == len(second) > 0 and abs(first - second).max() > 0


@pytest.mark.slow
def test_languages_are_identified_by_ids(tmp_path, monkeypatch):
    """Every other clip of the corpus is labeled as another language."""
    recipe = copy_recipe(tmp_path)
    with open(recipe / "local/data.sh", "a", encoding="utf-8") as script:
        script.write(
            "for set in train dev test; do\n"
            '    awk \'{print $1, NR % 2 ? "eng" : "deu"}\' data/${set}/utt2spk'
            " > data/${set}/utt2lang\n"
            "done\n"
        )
    for name in ("teacher", "student"):
        path = recipe / f"conf/train_{name}.yaml"
        conf = yaml.safe_load(path.read_text())
        conf["tts_conf"]["langs"] = 3
        path.write_text(yaml.safe_dump(conf))
    options = ["--tts_opts", "--use_lid true", "--nj", 1, "--inference_nj", 1]
    succeed(recipe, *options, "--stop_stage", 7)
    succeed(recipe, *options, "--stage", 9)
    ids = read_table(recipe / "dump/raw/train/utt2lid")
    assert set(ids.values()) == {"1", "2"}
    monkeypatch.chdir(recipe)  # statistics are named by relative paths
    for name in ("teacher", "student"):
        folder = recipe / "exp" / name
        weights = [key for key, _ in load_stock(folder).named_parameters()]
        checkpoint = torch.load(folder / "checkpoint.pth", weights_only=True)
        adam = checkpoint["optimizers"][0]["state"]
        squares = adam[weights.index("tts.lid_emb.weight")]["exp_avg_sq"]
        assert squares.amax(1).gt(0).tolist() == [False, True, True]
    table = "dump/raw/org/train/lang2lid"
    (packed,) = recipe.glob("exp/student/*.zip")
    assert cli.main(["unpack", str(packed), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/lang2lid").read_bytes() == (recipe / table).read_bytes()
