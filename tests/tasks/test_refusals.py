"""What cannot work is refused in one line, before anything is built or written."""

import argparse
import copy
import re
import shutil

import pytest
import torch
import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.tasks.checks.check import check
from espnet_distill.tasks.checks.compatibility import require_conditions
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.tasks.text2mel import DistillTTSTask, require_own_trainer

from ..conftest import FASTSPEECH2, TOKENS, make_experiment, model_config, run_python

PRUNE = {"type": "prune", "granularity": "unstructured", "pressure": 0.5, "end": 3}


@pytest.fixture
def teacher_with(teacher, tmp_path):
    """A copy of the teacher, whose configuration a test may change."""
    folder = tmp_path / "changed"
    shutil.copytree(teacher, folder)

    def spoil(**changes):
        path = folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            if isinstance(value, dict):
                config[key] = (config[key] or {}) | value
            else:
                config[key] = value
        path.write_text(yaml.safe_dump(config))
        return folder

    return spoil


@pytest.fixture
def refusal(corpus, tmp_path):
    """Start a training with these keys and return the line that refuses it."""

    def refusal(*teachers, **changes):
        teachers = list(map(str, teachers))
        config = corpus.config(tmp_path / "train.yaml", teacher=teachers, **changes)
        with pytest.raises(ConfigError) as caught:
            DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
        message = str(caught.value)
        assert "\n" not in message
        return message

    yield refusal
    assert not (tmp_path / "exp").exists()


def test_pitch_for_a_model_that_reads_none(refusal, teacher):
    message = refusal(teacher, tts="tacotron2", tts_conf={}, pitch_extract="dio")
    assert message == "pitch_extract: tacotron2 does not use pitch; leave it out"


# Teachers that are not there


def test_no_such_teacher(refusal, tmp_path):
    message = refusal(tmp_path / "nobody")
    assert message == f"{tmp_path}/nobody: no such experiment folder"


def test_every_teacher_is_checked(refusal, teacher, tmp_path):
    assert "nobody: no such experiment" in refusal(teacher, tmp_path / "nobody")


def test_a_teacher_without_a_checkpoint(refusal, teacher_with):
    folder = teacher_with()
    (folder / "train.loss.ave.pth").unlink()
    assert refusal(folder).startswith(
        f"{folder}: expected one checkpoint (.pth), found none"
    )


def test_a_teacher_whose_configuration_is_broken(refusal, teacher_with):
    folder = teacher_with()
    (folder / "config.yaml").write_text("tts: {\n")
    assert refusal(folder).startswith(f"{folder}/config.yaml: cannot be read: ")
    (folder / "config.yaml").write_text("asr: transformer\n")
    assert "no `tts` key" in refusal(folder)


# Teachers that do not fit


@pytest.mark.parametrize(
    "changes, words",
    [
        (
            {"token_list": [*TOKENS[:-1], "!", TOKENS[-1]]},
            "token_list: number of tokens: the student has 30, teacher {} has 31",
        ),
        (
            {"token_list": [*TOKENS[:3], "b", "a", *TOKENS[5:]]},
            "token_list: token 3: the student has 'a', teacher {} has 'b'",
        ),
        (
            {"feats_extract_conf": {"fs": 22050}},
            "feats_extract_conf.fs: the student has 16000, teacher {} has 22050",
        ),
        (
            {"feats_extract_conf": {"hop_length": 256}},
            "feats_extract_conf.hop_length: the student has 128, teacher {} has 256",
        ),
        (
            {"feats_extract_conf": {"log_base": 2.0}},
            "feats_extract_conf.log_base: the student has 10, teacher {} has 2",
        ),
        (
            {"tts_conf": {"reduction_factor": 2}},
            "tts_conf.reduction_factor: the student has 1, teacher {} has 2",
        ),
        ({"odim": 24}, "odim: the student has None, teacher {} has 24"),
        (
            {"feats_extract": "spectrogram"},
            "feats_extract: the student has fbank, teacher {} has spectrogram",
        ),
        (
            {"pitch_extract_conf": {"f0max": 600}},
            "pitch_extract_conf.f0max: the student has 400, teacher {} has 600",
        ),
        (
            {"energy_extract_conf": {"n_fft": 1024}},
            "energy_extract_conf.n_fft: the student has 512, teacher {} has 1024",
        ),
        (
            {"pitch_extract_conf": {"use_log_f0": False}},
            "pitch_extract_conf.use_log_f0: the student has True, teacher {} has False",
        ),
    ],
    ids=lambda item: next(iter(item)) if isinstance(item, dict) else "",
)
def test_a_mismatch_names_both_values(refusal, teacher_with, changes, words):
    folder = teacher_with(**changes)
    assert refusal(folder) == words.format(folder) + "; make them equal"


def test_dumped_features_need_no_extractor(corpus, tmp_path):
    """With --odim, stock ESPnet sets feats_extract to null as it builds the model."""
    folder = tmp_path / "dumped"
    make_experiment(folder, odim=20)
    assert yaml.safe_load((folder / "config.yaml").read_text())["feats_extract"] is None
    config = corpus.config(tmp_path / "train.yaml", teacher=[str(folder)], odim=20)
    assert "student" in check(config, [])


# Options that mean nothing


@pytest.mark.parametrize(
    "distill_conf, words",
    [
        (
            {"objectives": [{"type": "melody"}]},
            "distill_conf.objectives[0]: no objective 'melody'; there are mel, ",
        ),
        (
            {"objectives": [{"type": "mel", "weight": -1}]},
            "[0]: mel.weight: expected a fin",
        ),
        (
            {"objectives": [{"type": "mel"}, {"type": "hidden"}]},
            "[1]: hidden needs the key",
        ),
        (
            {"objectives": [{"type": "mel"}] * 2},
            "distill_conf.objectives: mel is listed tw",
        ),
        (
            {"objectives": []},
            "distill_conf.objectives: expected a list of {type: …, weig",
        ),
        ({"objectives": {"mel": 1}}, "distill_conf.objectives: expected a list of"),
        (
            {"ground_truth_weight": "all"},
            "distill_conf.ground_truth_weight: expected a fini",
        ),
        (
            {"ground_truth_weight": -0.1},
            "distill_conf.ground_truth_weight: expected a fini",
        ),
        (
            {"temperature": 0},
            "distill_conf.temperature: expected a finite number above",
        ),
        (
            {"temperature": -1},
            "distill_conf.temperature: expected a finite number abov",
        ),
        ({"temperature": "hot"}, "distill_conf.temperature: expected a finite number"),
        (
            {"fusion": "max"},
            "distill_conf.fusion: no fusion 'max'; there are mean, conf",
        ),
        (
            {"temprature": 2},
            "distill_conf: no key 'temprature'; near: temperature",
        ),
    ],
)
def test_options(refusal, teacher, distill_conf, words):
    assert words in refusal(teacher, distill_conf=distill_conf)


@pytest.mark.parametrize(
    "callbacks, words",
    [
        ({"type": "prune"}, "callbacks: expected a list of {type: …}, got {'type'"),
        (["prune"], "callbacks[0]: expected {type: prune, …}, got 'prune'"),
        ([PRUNE, {"type": "prnue"}], "callbacks[1]: no callback 'prnue'; there "),
        ([PRUNE | {"presure": 0.5}], "callbacks[0]: no key 'presure'; near: pressure"),
    ],
)
def test_callbacks(refusal, callbacks, words):
    assert refusal(callbacks=callbacks).startswith(words)


def test_another_trainer(refusal, teacher):
    words = "use_deepspeed: not supported with a teacher or callbacks; leave it out"
    assert refusal(teacher, use_deepspeed=True) == words
    assert refusal(callbacks=[PRUNE], use_deepspeed=True) == words


def test_several_gpus_in_one_process(refusal, teacher, monkeypatch):
    """Replicas of nn.DataParallel call the taps' recorder of the first one."""
    words = "ngpu: 2 in one process are not supported with a teacher or callbacks; "
    assert refusal(teacher, ngpu=2) == f"{words}set multiprocessing_distributed: true"
    monkeypatch.setenv("WORLD_SIZE", "2")  # an external launcher
    args = argparse.Namespace(
        ngpu=2,
        use_deepspeed=False,
        multiprocessing_distributed=False,
        dist_world_size=None,
        dist_launcher=None,
    )
    require_own_trainer(args, DistillOptions(teachers=["exp/teacher"]))


@pytest.mark.parametrize(
    "key, name", [("spks", "sids"), ("langs", "lids"), ("spk_embed_dim", "spembs")]
)
def test_a_teacher_that_requires_more_than_the_text(refusal, teacher_with, key, name):
    folder = teacher_with(tts_conf={key: 3})
    assert refusal(folder) == (
        f"tts_conf.{key}: teacher {folder} has 3, which requires {name} among the "
        "data, which are text, speech, durations"
    )


@pytest.mark.parametrize("size", [-1, 0, 1])
@pytest.mark.parametrize("key", ["spks", "langs"])
def test_one_speaker_or_language_requires_no_ids(key, size):
    """ESPnet's models ignore such a value."""
    require_conditions(["text"], {"tts_conf": {key: size}}, "teacher")


def test_a_student_that_requires_more_than_the_text(refusal, teacher):
    conf = FASTSPEECH2 | {"spks": 3}
    words = "fastspeech2 has 3, which requires sids among the data, which are text, "
    assert words in refusal(teacher, tts_conf=conf)
    assert words in refusal(tts_conf=conf)


def test_pieces_without_their_model(refusal, teacher, tmp_path):
    words = "fastspeech2: bpemodel: none, but token_type is bpe; name a sentencepiece "
    assert words in refusal(teacher, token_type="bpe")
    path = str(tmp_path / "bpe.model")
    words = f"fastspeech2: bpemodel: {path}: no such file"
    assert words in refusal(teacher, token_type="bpe", bpemodel=path)


# Errors that require loading the teacher


@pytest.fixture
def late_refusal(corpus, tmp_path):
    """As `refusal`, of what is found when the model is built; nothing is trained."""

    def late_refusal(teacher, *objectives):
        objectives = list(objectives) or [{"type": "mel"}]
        conf = {"teacher": [str(teacher)], "distill_conf": {"objectives": objectives}}
        config = corpus.config(tmp_path / "train.yaml", **conf)
        with pytest.raises(ConfigError) as caught:
            DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
        with pytest.raises(ConfigError) as checked:
            check(config, [])
        assert str(caught.value) in str(checked.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    yield late_refusal
    assert not (tmp_path / "exp").exists()


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_truncated_checkpoint(late_refusal, teacher_with, share):
    path = teacher_with() / "train.loss.ave.pth"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert late_refusal(path.parent).startswith(f"{path}: not a readable checkpoint (")


def test_missing_and_unexpected_keys(late_refusal, teacher_with):
    path = teacher_with() / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    renamed = copy.copy(state)
    renamed["tts.feat_output.weight"] = renamed.pop("tts.feat_out.weight")
    torch.save(renamed, path)
    assert "lacks 1 keys" in late_refusal(path.parent)
    assert "tts.feat_out.weight" in late_refusal(path.parent)
    torch.save({**state, "tts.stray": torch.zeros(1)}, path)
    assert "has unexpected 1 keys" in late_refusal(path.parent)
    assert "tts.stray" in late_refusal(path.parent)


def test_weights_of_another_width(late_refusal, teacher_with):
    folder = teacher_with(tts_conf=FASTSPEECH2)
    message = late_refusal(folder)
    assert message.startswith(f"{folder}/config.yaml: cannot build the model: ")
    assert "size mismatch" in message


def test_missing_statistics(late_refusal, teacher_with):
    folder = teacher_with(normalize_conf={"stats_file": "missing.npz"})
    assert "missing.npz" in late_refusal(folder)


def test_a_tap_that_is_not_there(late_refusal, teacher):
    message = late_refusal(teacher, {"type": "hidden", "tap": "encoder.encoders.7"})
    assert (
        "'encoder.encoders.7': no such module in FastSpeech2; near: encoder." in message
    )


def test_a_tap_that_runs_along_neither_tokens_nor_frames(late_refusal, teacher):
    message = late_refusal(teacher, {"type": "hidden", "tap": "postnet"})
    assert "'postnet'" in message and "neither tokens nor frames" in message


@pytest.mark.parametrize("with_teacher", [False, True])
def test_a_callback_that_does_not_fit_the_model(
    corpus, teacher, with_teacher, tmp_path
):
    teachers = [str(teacher)] if with_teacher else []
    callbacks = [PRUNE, PRUNE | {"exclude": ["tts.feat_uot.*"]}]
    config = corpus.config(
        tmp_path / "train.yaml", teacher=teachers, callbacks=callbacks
    )
    with pytest.raises(ConfigError) as caught:
        DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
    with pytest.raises(ConfigError) as checked:
        check(config, [])
    assert str(caught.value) == str(checked.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("callbacks[1]: ")
    assert "tts.feat_uot.*" in str(caught.value)
    assert not (tmp_path / "exp").exists()


def test_a_callback_that_ends_after_training_does(corpus, tmp_path):
    config = corpus.config(tmp_path / "train.yaml", callbacks=[PRUNE | {"end": 5}])
    with pytest.raises(ConfigError, match=r"^callbacks\[0\]: end: step 5 is after"):
        DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
    assert not list((tmp_path / "exp").glob("*.pth"))
    late = PRUNE | {"end": 3, "unit": "epoch"}
    config = corpus.config(tmp_path / "train.yaml", callbacks=[late])
    with pytest.raises(ConfigError, match=r"^callbacks\[0\]: end: epoch 3 is after"):
        check(config, [])


# As a user sees it


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"teacher": ["nobody"]}, "nobody: no such experiment folder"),
        (
            {"distill_conf": {"objectives": [{"type": "melody"}]}},
            "distill_conf.objectives[0]: no objective 'melody'; there are "
            "mel, hidden, duration, pitch, energy, stop, attention, relation, stft, f0, "
            "free_phase",
        ),
    ],
)
def test_the_runner_prints_one_line_and_exits_with_status_2(
    corpus, teacher, changes, words, tmp_path
):
    config = corpus.config(
        tmp_path / "train.yaml", **({"teacher": [str(teacher)]} | changes)
    )
    program = ["-m", "espnet_distill", "-m", "espnet2.bin.tts_train"]
    done = run_python(*program, *corpus.training(config, tmp_path / "exp"))
    assert done.returncode == 2
    *_, line = done.stderr.splitlines()  # ESPnet greets before
    assert line == f"espnet_distill: error: {words}"
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "exp").exists()


def test_check_describes_what_will_be_done(corpus, teacher, tmp_path):
    objectives = [{"type": "mel"}, {"type": "hidden", "tap": "decoder"}]
    config = corpus.config(
        tmp_path / "train.yaml",
        teacher=[str(teacher)],
        distill_conf={"objectives": objectives},
    )
    assert check(config, []) == (
        f"{teacher}/train.loss.ave.pth (0.01 M) -> "
        "student (0.00 M) by mel, hidden_decoder"
    )
    config = corpus.config(tmp_path / "train.yaml", callbacks=[PRUNE])
    assert check(config, []) == "student (0.00 M) with prune"


def test_check_of_a_stock_training(corpus, tmp_path):
    config = corpus.config(tmp_path / "train.yaml")
    found = check(config, [])
    assert re.fullmatch(r"FastSpeech2 \(0.00 M\), a stock training: neither .*", found)
    conf = yaml.safe_load(config.read_text())
    del conf["token_list"]
    config.write_text(yaml.safe_dump(conf))
    assert "M with 50 tokens), a stock" in check(config, [])
    wrong = {"tts_conf": conf["tts_conf"] | {"dunit": 3}, "max_epoch": "many"}
    wrong |= {"optim_conf": {"lr": "1e-3"}, "init_param": ["no.pth:tts:tts"]}
    config.write_text(yaml.safe_dump(conf | wrong))
    with pytest.raises(ConfigError) as caught:
        check(config, [])
    for words in (
        "tts_conf: fastspeech2 has no key 'dunit'; near: dunits",
        "max_epoch: expected a number, got 'many'",
    ):
        assert words in str(caught.value)
    config.write_text(yaml.safe_dump(conf | {"init_param": ["no.pth:tts:tts"]}))
    with pytest.raises(ConfigError, match="init_param: no.pth: no such file"):
        check(config, [])
    config.write_text(yaml.safe_dump({"tts": "vits", "optim2": "adam"}))
    with pytest.raises(ConfigError, match="yaml: tts: vits is trained by .*gan_tts_t"):
        check(config, [])


def test_check_refuses_what_it_cannot_read(corpus, tmp_path):
    with pytest.raises(ConfigError, match="nothing.yaml: .*[Nn]o such"):
        check(tmp_path / "nothing.yaml", [])
    with pytest.raises(ConfigError, match="train.yaml: .*no_such_key"):
        check(corpus.config(tmp_path / "train.yaml", no_such_key=1), [])
    wrong = model_config() | {"teacher": ["x"], "token_list": str(tmp_path / "no.txt")}
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(ConfigError, match="x: no such experiment folder"):
        check(tmp_path / "train.yaml", [])
