"""Teachers dumped once: the same targets as online, and nothing stale is used."""

import re

import numpy as np
import pytest
import soundfile
import torch
import yaml
from espnet2.tasks.tts import TTSTask
from espnet2.train.collate_fn import CommonCollateFn

from espnet_distill.bin import dump_teacher as dump
from espnet_distill.bin import finish_dump
from espnet_distill.errors import ConfigError
from espnet_distill.objectives.base import Taps
from espnet_distill.tasks.text2mel import DistillTTSTask
from espnet_distill.teachers.dump_writer import FULL_PRECISION, TapFiles
from espnet_distill.teachers.dumped import (
    DumpedTeacher,
    checksum_of_data,
    data_name,
)
from espnet_distill.teachers.online import OnlineTeacher

from ..conftest import (
    MEASURES,
    STEADY_FASTSPEECH2,
    WIDE_FASTSPEECH2,
    global_mvn,
    make_experiment,
)

OBJECTIVES = [
    {"type": "mel", "weight": 2.0},
    {"type": "hidden", "tap": "encoder", "weight": 0.5},
    {"type": "hidden", "tap": "decoder.after_norm", "weight": 0.5},
    {"type": "duration"},
    {"type": "pitch"},
    {"type": "energy"},
]
TAPS = ("mel_after", "encoder", "decoder.after_norm", "duration", "pitch", "energy")
STEADY = {**STEADY_FASTSPEECH2, "decoder_normalize_before": True}


class Dumps:
    """Configurations and dumps of one corpus."""

    def __init__(self, corpus, root, teachers):
        self.corpus = corpus
        self.root = root
        self.teachers = teachers
        self.folder = root / "dump"
        self.objectives = OBJECTIVES

    def config(self, **changes):
        conf = {"ground_truth_weight": 0.5, "objectives": self.objectives}
        conf |= changes.pop("distill_conf", {})
        path = self.root / "train.yaml"
        return self.corpus.config(
            path,
            tts_conf=STEADY,
            teacher=[str(teacher) for teacher in self.teachers],
            batch_size=1,  # padding reaches the ends of ESPnet's convolutions
            distill_conf=conf,
            **changes,
        )

    def options(self, name):
        source = self.corpus.root / name
        data = [
            "text,text,text",
            "wav.scp,speech,sound",
            "durations,durations,text_int",
        ]
        options = ["--config", str(self.config()), "--output_dir"]
        options += [str(self.folder / name)]
        for item in data:
            options += ["--data_path_and_name_and_type", str(source / item)]
        return options

    def run_job(self, name, utterances, *options):
        keys = self.root / "keys"
        keys.write_text("".join(f"{utterance} x\n" for utterance in utterances))
        options = ("--batch_size", "1", *options)
        dump.main([*self.options(name), "--key_file", str(keys), *options])

    def run(self):
        for name, texts in self.corpus.TEXTS.items():
            utterances = list(texts)
            self.run_job(name, utterances[:1])
            self.run_job(name, utterances[1:])
            self.finish(name)
        return self

    def finish(self, name):
        options = [
            "--config",
            str(self.config()),
            "--output_dir",
            str(self.folder / name),
        ]
        finish_dump.main([*options, "--text", str(self.corpus.root / name / "text")])

    def train(self, out, dumped=True):
        source = {"teacher_dump": str(self.folder)} if dumped else {}
        config = self.config(**source)
        DistillTTSTask.main(cmd=self.corpus.training(config, self.root / out))
        checkpoint = self.root / out / "checkpoint.pth"
        return torch.load(checkpoint, weights_only=True)


@pytest.fixture
def dumps(corpus, tmp_path):
    conf = {**WIDE_FASTSPEECH2, "decoder_normalize_before": True}
    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    teacher = make_experiment(tmp_path / "teacher", tts_conf=conf, **stats)
    return Dumps(corpus, tmp_path, [teacher])


def read(dumps, name, utterance):
    """The taps of one utterance as a batch of a training."""
    folder = dumps.folder / name / "teacher"
    item = {
        data_name(0, tap): np.load(folder / "data" / tap / f"{utterance}.npy")
        for tap in TAPS
    }
    item = {key: value.astype(np.float32) for key, value in item.items()}
    return CommonCollateFn(float_pad_value=0.0)([(utterance, item)])[1]


def test_a_dump_equals_the_outputs_of_the_teacher(dumps):
    dumps.run()
    online = OnlineTeacher(dumps.teachers[0], TAPS)
    dumped = DumpedTeacher(dumps.folder, 0, TAPS)
    source = dumps.corpus.root / "train"
    data = [(str(source / "text"), "text", "text")]
    data += [(str(source / "wav.scp"), "speech", "sound")]
    data += [(str(source / "durations"), "durations", "text_int")]
    batches = TTSTask.build_streaming_iterator(
        data,
        TTSTask.build_preprocess_fn(online.args, False),
        TTSTask.build_collate_fn(online.args, False),
        dtype="float32",
    )
    for (utterance,), batch in batches:
        expected = online(batch)
        found = dumped(read(dumps, "train", utterance))
        for tap in TAPS:
            loose = tap not in FULL_PRECISION
            torch.testing.assert_close(
                found[tap],
                expected[tap],
                atol=3e-3 if loose else 1e-5,
                rtol=1e-3 if loose else 1e-5,
            )
            assert torch.equal(found.lengths[tap], expected.lengths[tap])
    for tap, shape in dumped.probe().tensors.items():
        assert shape.shape == online.probe()[tap].shape


def test_a_training_from_a_dump_is_the_training_beside_the_teacher(dumps):
    dumps.run()
    online, dumped = dumps.train("online", dumped=False), dumps.train("dumped")
    for epoch, parts in online["reporter"]["stats"].items():
        for part in ("train", "valid"):
            found = dumped["reporter"]["stats"][epoch][part]
            for key, value in parts[part].items():
                if key == "loss" or key.startswith("distill_"):
                    assert found[key] == pytest.approx(value, rel=1e-3), key
    record = yaml.safe_load((dumps.root / "dumped/distill.yaml").read_text())
    assert record["teacher_dump"] == str(dumps.folder)


def test_no_teacher_is_in_a_training_from_a_dump(dumps, monkeypatch):
    dumps.run()

    def load(*args, **kwargs):
        raise AssertionError("a teacher was loaded")

    monkeypatch.setattr(OnlineTeacher, "__init__", load)
    dumps.train("out")


def test_a_dump_may_have_more_than_a_training_reads(dumps):
    dumps.run()
    dumped = dumps.train("all")
    dumps.objectives = OBJECTIVES[:1]
    fewer = dumps.train("fewer")["reporter"]["stats"][1]["train"]
    expected = dumped["reporter"]["stats"][1]["train"]
    assert set(expected) - set(fewer) >= {"distill_pitch", "distill_hidden_encoder"}
    assert fewer["distill_mel"] > 0


def test_attention_keeps_both_its_axes(tmp_path):
    """ESPnet's collate function pads one axis: it is written flat and made whole."""
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand(2, 9, 6, generator=generator)
    steps, tokens = torch.tensor([9, 5]), torch.tensor([6, 4])
    lengths = {"attention": steps, "attention_tokens": tokens}
    folder = tmp_path / "train" / "teacher"
    files = TapFiles(folder, ("attention",))
    files.write(["a", "b"], Taps({"attention": attention}, lengths))
    manifest = {
        "teacher": {"config": "c", "model": "m"},
        "taps": {"attention": [1, 1, 1]},
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))

    items = [
        (name, {"teacher_attention": np.load(files.path("attention", name))})
        for name in ("a", "b")
    ]
    batch = CommonCollateFn(float_pad_value=0.0)(items)[1]
    batch["text_lengths"] = tokens - 1  # without the end of the sentence
    found = DumpedTeacher(tmp_path, 0, ("attention",))(batch)
    for row, n, m in zip((0, 1), steps, tokens):
        torch.testing.assert_close(
            found["attention"][row, :n, :m].float(),
            attention[row, :n, :m],
            atol=1e-3,
            rtol=1e-3,
        )
        assert not found["attention"][row, n:].any()
        assert not found["attention"][row, :, m:].any()
    assert found.lengths["attention"].tolist() == [9, 5]


def test_a_job_does_not_dump_again_what_is_there(dumps):
    dumps.run_job("train", ["a1", "a2"])
    path = dumps.folder / "train/teacher/data/mel_after/a1.npy"
    before = path.stat().st_mtime_ns
    (dumps.folder / "train/teacher/data/pitch/a2.npy").unlink()
    dumps.run_job("train", ["a1", "a2"])
    assert path.stat().st_mtime_ns == before
    assert (dumps.folder / "train/teacher/data/pitch/a2.npy").exists()
    assert not list(dumps.folder.rglob("*.part*"))


def test_a_dump_is_not_finished_before_all_is_there(dumps):
    dumps.run_job("train", ["a1", "a3"])
    with pytest.raises(ConfigError, match="2 of 4 utterances are not dumped: a2, a4"):
        dumps.finish("train")
    with pytest.raises(ConfigError, match="no finished teacher dump; run teacher_dump"):
        dumps.train("out")


def test_an_array_that_lost_its_end_is_dumped_again(dumps):
    utterances = list(dumps.corpus.TEXTS["train"])
    dumps.run_job("train", utterances)
    path = dumps.folder / "train/teacher/data/encoder/a3.npy"
    whole = path.read_bytes()
    for content in (whole[:-4], whole + b"more", b""):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="1 of 4 utterances are not dumped: a3"):
            dumps.finish("train")
    dumps.run_job("train", utterances)
    assert path.read_bytes() == whole
    dumps.finish("train")


def test_two_teachers_do_not_mix_in_one_folder(dumps, corpus):
    dumps.run_job("train", ["a1"])
    dumps.teachers = [make_experiment(dumps.root / "other", 5, tts_conf=STEADY)]
    with pytest.raises(ConfigError, match="holds taps of another teacher"):
        dumps.run_job("train", ["a2"])


def _retrain(dumps):
    path = dumps.teachers[0] / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    state["tts.feat_out.bias"] += 1
    torch.save(state, path)


def _other_config(dumps):
    with open(dumps.teachers[0] / "config.yaml", "a") as config:
        config.write("# changed\n")


def _truncate(dumps):
    path = dumps.folder / "train/teacher/data/encoder/a3.npy"
    path.write_bytes(path.read_bytes()[:-4])


def _remove(dumps):
    (dumps.folder / "valid/teacher/data/mel_after/b1.npy").unlink()


def _lack(dumps):
    path = dumps.folder / "train/teacher/text"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[2:]))


def _read_otherwise(dumps):
    path = dumps.folder / "train/teacher/text"
    path.write_text(path.read_text().replace("again", "never"))


def _other_durations(dumps):
    path = dumps.folder / "train/teacher/manifest.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["data"]["durations"] = "0" * 64
    path.write_text(yaml.safe_dump(manifest))


def test_other_speaker_embeddings_in_an_archive_are_other_data(tmp_path):
    archive, table = tmp_path / "xvector.ark", tmp_path / "xvector.scp"
    table.write_text(f"a1 {archive}:3\n")
    sums = []
    for content in (b"a1 one", b"a1 one", b"a1 two"):
        archive.write_bytes(content)
        sums.append(checksum_of_data(table, "kaldi_ark"))
    assert sums[0] == sums[1] != sums[2]


def _fewer_taps(dumps):
    path = dumps.folder / "train/teacher/manifest.yaml"
    manifest = yaml.safe_load(path.read_text())
    del manifest["taps"]["pitch"]
    path.write_text(yaml.safe_dump(manifest))


@pytest.mark.parametrize(
    "spoil, words",
    [
        (_retrain, "dumped from another teacher"),
        (_other_config, "the config of"),
        (_truncate, "encoder/a3.npy: "),
        (_remove, "mel_after/b1.npy: 0 bytes"),
        (_lack, "lacks 2 of the 4 utterances"),
        (_read_otherwise, "the dump has a4 with the text 'never'"),
        (_other_durations, "made with another durations than"),
        (_fewer_taps, "no tap 'pitch' in this dump, only "),
    ],
)
def test_a_dump_that_does_not_fit_is_refused_before_training(dumps, spoil, words):
    dumps.run()
    spoil(dumps)
    with pytest.raises(ConfigError) as caught:
        dumps.train("out")
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not (dumps.root / "out").exists()


def test_a_dump_of_other_tokens_is_refused(dumps, corpus):
    """The jobs tokenize by the teacher's front end, the training by the student's."""
    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    conf = {**WIDE_FASTSPEECH2, "decoder_normalize_before": True}
    folder = dumps.root / "cleaned"
    cleaned = make_experiment(folder, tts_conf=conf, cleaner="tacotron", **stats)
    dumps.teachers = [cleaned]
    dumps.run()
    message = (
        f"cleaner: the student has None, teacher {cleaned} has tacotron; make them"
    )
    with pytest.raises(ConfigError, match=message):
        dumps.train("out")
    dumps.train("online", dumped=False)  # on the student's tokens


def test_two_teachers_are_dumped_and_fused(dumps):
    other = make_experiment(
        dumps.root / "other",
        5,
        tts_conf={**STEADY, "adim": 24},
        **global_mvn(**{name: dumps.corpus.stats(name) for name in MEASURES}),
    )
    dumps.teachers.append(other)
    dumps.run()
    conf = {"fusion": "confidence", "temperature": 2.0}
    results = []
    for source in ({}, {"teacher_dump": str(dumps.folder)}):
        config = dumps.config(distill_conf=conf, **source)
        out = dumps.root / f"out{len(results)}"
        DistillTTSTask.main(cmd=dumps.corpus.training(config, out))
        checkpoint = torch.load(out / "checkpoint.pth", weights_only=True)
        results.append(checkpoint["reporter"]["stats"][2]["valid"])
    online, dumped = results
    assert online["teacher_weight1"] + online["teacher_weight2"] == pytest.approx(1)
    for key in ("teacher_weight1", "distill_mel", "distill_hidden_encoder", "loss"):
        assert dumped[key] == pytest.approx(online[key], rel=1e-3)


def test_a_set_that_is_not_there_is_named(dumps):
    dumps.run()
    (dumps.folder / "valid").rename(dumps.folder / "renamed")
    with pytest.raises(ConfigError, match="valid/teacher: no finished teacher dump"):
        dumps.train("out")


def test_durations_of_other_recordings_are_refused(dumps, corpus):
    path = corpus.root / "train" / "durations"
    text = path.read_text()
    try:
        path.write_text(re.sub(r"^(a3 .*)", r"\1 40", text, flags=re.MULTILINE))
        with pytest.raises(ConfigError, match=r"durations: a3: \d+ frames, but .* 128"):
            dumps.run_job("train", ["a1", "a3"])
    finally:
        path.write_text(text)
    assert not (dumps.folder / "train/teacher").exists()


@pytest.mark.parametrize(
    "shape, rate, line",
    [
        ((4000,), 22050, "a1: has 22050 Hz, expected 16000"),
        ((4000, 2), 16000, "a1: has 2 channels, expected 1"),
        ((0,), 16000, "a1: is empty; leave the utterance out"),
    ],
)
def test_recordings_that_do_not_fit_the_teacher_are_refused(
    shape, rate, line, dumps, tmp_path
):
    source = dumps.corpus.root / "train"
    soundfile.write(tmp_path / "a1.wav", np.zeros(shape), rate)
    scp = (source / "wav.scp").read_text()
    scp = scp.replace(str(source / "a1.wav"), str(tmp_path / "a1.wav"))
    (tmp_path / "wav.scp").write_text(scp)
    other = f"{tmp_path}/wav.scp,speech,sound"
    with pytest.raises(ConfigError, match=line):
        dumps.run_job("train", ["a1"], "--data_path_and_name_and_type", other)
    assert not list(dumps.folder.rglob("*.npy"))


@pytest.mark.parametrize("value", [float("nan"), 1e6])
def test_taps_that_half_precision_cannot_hold_are_not_written(tmp_path, value):
    taps = Taps({"encoder": torch.ones(2, 3, 4)}, {"encoder": torch.tensor([3, 2])})
    taps.tensors["encoder"][1, 1, 1] = value
    files = TapFiles(tmp_path, ("encoder",))
    with pytest.raises(ConfigError) as caught:
        files.write(["a1", "a2"], taps)
    assert str(caught.value) == (
        f"{tmp_path}: tap encoder of the teacher: NaN or infinity in a2; leave out those "
        "utterances, or name another teacher"
    )
    assert not files.has("a1") and not files.has("a2")


def test_an_utterance_without_data_is_named(dumps):
    with pytest.raises(ConfigError) as caught:
        dumps.run_job("train", ["nobody"])
    tables = [line.partition(": ")[0] for line in caught.value.faults]
    names = "text", "wav.scp", "durations"
    assert tables == [str(dumps.corpus.root / "train" / name) for name in names]
    assert all("for nobody; add them, or leave" in line for line in caught.value.faults)
