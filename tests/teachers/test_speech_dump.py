"""The dump of a text-to-waveform teacher's speech."""

import shutil

import numpy as np
import pytest
import torch
import yaml

from espnet_distill.bin import dump_f0, dump_speech
from espnet_distill.data.audio import read_audio
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.files import read_durations, read_table

from ..conftest import HOP, RATE, make_experiment
from .text_to_wave_models import (
    SEVERAL,
    VITS_GENERATOR,
    jets,
    joint,
    make_slow,
    vits,
)

TEXTS = {"a": "a b c d", "b": "h e l l o", "c": "s t o p"}


@pytest.fixture(
    scope="module", params=[vits, jets, joint], ids=lambda kind: kind.__name__
)
def teacher(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teachers") / request.param.__name__
    return make_slow(folder, token_type="phn", **request.param())


@pytest.fixture
def dump(tmp_path):
    """Run the program on TEXTS, or on those of some keys."""
    text = tmp_path / "text"
    text.write_text("".join(f"{key} {words}\n" for key, words in TEXTS.items()))

    def dump(teacher, *options, keys=TEXTS):
        (tmp_path / "keys").write_text("".join(f"{key} -\n" for key in keys))
        command = ["--teacher", teacher, "--output_dir", tmp_path / "out", *options]
        command += ["--data_path_and_name_and_type", f"{text},text,text"]
        command += ["--key_file", tmp_path / "keys"]
        dump_speech.main([str(word) for word in command])
        return tmp_path / "out"

    return dump


def test_waves_durations_and_latents_agree(teacher, dump):
    dump(teacher, "--latents")
    out = dump(teacher, "--latents", "--finish")
    frames = read_durations(out / "durations", TEXTS)
    latents = read_table(out / "latents.scp")
    for key, path in read_table(out / "wav/wav.scp").items():
        wave, rate = read_audio(path)
        assert rate == RATE and len(wave) == HOP * sum(frames[key])
        assert len(frames[key]) == len(TEXTS[key].split()) + 1
        assert len(np.load(latents[key])) == sum(frames[key])


def test_latents_alone_are_those_of_a_dump_with_waveforms(teacher, dump):
    dump(teacher, "--latents")
    out = dump(teacher, "--latents", "--finish")
    expected = {path: path.read_bytes() for path in out.glob("latents/*.npy")}
    durations = (out / "durations").read_text()
    with pytest.raises(ConfigError, match="or with other outputs; remove the folder"):
        dump(teacher, "--latents_only")
    shutil.rmtree(out)
    dump(teacher, "--latents_only")
    assert dump(teacher, "--latents_only", "--finish") == out
    assert not (out / "wav").exists() and len(expected) == len(TEXTS)
    assert expected == {path: path.read_bytes() for path in out.glob("latents/*.npy")}
    assert (out / "durations").read_text() == durations


def test_speech_does_not_depend_on_the_jobs(dump, tmp_path):
    teacher = make_experiment(tmp_path / "vits", token_type="phn", **vits())
    options = ["--noise_scale", 1.0, "--noise_scale_dur", 1.0]
    out = dump(teacher, *options)
    whole = {key: (out / f"wav/{key}.wav").read_bytes() for key in TEXTS}
    for key in TEXTS:
        (out / f"wav/{key}.wav").unlink()
        dump(teacher, *options, keys=[key])
        assert (out / f"wav/{key}.wav").read_bytes() == whole[key]
    assert len(set(whole.values())) == len(TEXTS)


def test_a_truncated_wave_is_synthesized_again(dump, tmp_path):
    teacher = make_experiment(tmp_path / "vits", token_type="phn", **vits())
    path = dump(teacher) / "wav/b.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(ConfigError, match="1 of 3 utterances are not dumped: b; run"):
        dump(teacher, "--finish")
    dump(teacher)
    assert path.read_bytes() == whole
    manifest = yaml.safe_load((dump(teacher, "--finish") / "manifest.yaml").read_text())
    assert manifest["noise"] == {"noise_scale": 0.333, "noise_scale_dur": 0.0}


def test_another_noise_is_refused(dump, tmp_path):
    teacher = make_experiment(tmp_path / "vits", token_type="phn", **vits())
    dump(teacher, keys=["a"])
    with pytest.raises(ConfigError, match="holds speech of another teacher, of other"):
        dump(teacher, "--noise_scale", 0.5)


def test_a_model_without_waveforms_is_refused(dump, tmp_path):
    teacher = make_experiment(tmp_path / "fastspeech2")
    with pytest.raises(ConfigError, match="tts: fastspeech2: synthesizes no waveform"):
        dump(teacher)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def conditioned(tmp_path):
    """Dump a sentence of a VITS of several speakers; return its conditioning."""
    teacher = make_experiment(tmp_path / "vits", token_type="phn", **vits(**SEVERAL))
    rows = {"text": "a b c", "sids": "2", "lids": "1"}
    command = ["--teacher", str(teacher), "--output_dir", str(tmp_path / "out")]
    for name, value in rows.items():
        (tmp_path / name).write_text(f"x {value}\n")
        kind = "text" if name == "text" else "text_int"
        triple = f"{tmp_path / name},{name},{kind}"
        command += ["--data_path_and_name_and_type", triple]
    np.save(tmp_path / "x.npy", np.ones(5, np.float32))
    (tmp_path / "spembs").write_text(f"x {tmp_path}/x.npy\n")
    command += ["--data_path_and_name_and_type", f"{tmp_path}/spembs,spembs,npy"]

    def run(*options):
        dump_speech.main([*command, *options])
        dump_speech.main([*command, *options, "--finish"])
        generator = Experiment(teacher).model.tts.generator
        with torch.no_grad():
            return (
                generator.global_emb.weight[2]
                + generator.lang_emb.weight[1]
                + generator.spemb_proj(torch.full((5,), 5**-0.5))
            )

    return run


def test_the_conditioning_is_written_with_the_latents(tmp_path, conditioned):
    expected = conditioned("--latents")
    (path,) = read_table(tmp_path / "out/condition.scp").values()
    np.testing.assert_allclose(np.load(path), expected, rtol=1e-5)


def test_or_among_the_latents(tmp_path, conditioned):
    expected = conditioned("--latents", "--append_condition")
    assert not (tmp_path / "out/condition.scp").exists()
    (path,) = read_table(tmp_path / "out/latents.scp").values()
    latents = np.load(path)[:, VITS_GENERATOR["hidden_channels"] :]
    np.testing.assert_allclose(latents, np.tile(expected, (len(latents), 1)), rtol=1e-5)


def test_of_one_speaker_there_is_no_conditioning(dump, tmp_path):
    teacher = make_experiment(tmp_path / "vits", token_type="phn", **vits())
    with pytest.raises(
        ConfigError, match="^--append_condition: is for the latents of a"
    ):
        dump(teacher, "--latents", "--append_condition")


@pytest.mark.parametrize(
    "ids, line",
    [
        ("a 1\n", "sids: no sids for b; add them, or leave the utterances out"),
        ("a ann\nb tim\n", "sids: a: 'ann': sids are whole numbers; name the table of"),
        (None, "sids: cannot be read: No such file"),
        ("a 1\nb 7\n", "b: sids: 7: the model has 0 to 2"),
    ],
)
def test_ids_that_do_not_fit_are_named(ids, line, tmp_path):
    several = vits(spks=3, global_channels=4)
    teacher = make_experiment(tmp_path / "vits", token_type="phn", **several)
    command = ["--teacher", teacher, "--output_dir", tmp_path / "out"]
    for name, rows, kind in ("text", "a s t\nb o\n", "text"), ("sids", ids, "text_int"):
        if rows:
            (tmp_path / name).write_text(rows)
        command += ["--data_path_and_name_and_type", f"{tmp_path}/{name},{name},{kind}"]
    with pytest.raises(ConfigError, match=line):
        dump_speech.main([str(word) for word in command])


@pytest.mark.parametrize(
    "embedding, line",
    [
        ("none.npy", "spembs: a: none.npy: no such file"),
        ([1, 2, 3, 4], "a: spembs: shape .4,.: the model takes 5 values"),
        ([1, 2, 3, 4, np.nan], "a: spembs: NaN or infinity; extract the embedding"),
    ],
)
def test_embeddings_that_do_not_fit_are_named(embedding, line, tmp_path):
    several = vits(spk_embed_dim=5, global_channels=4)
    teacher = make_experiment(tmp_path / "vits", token_type="phn", **several)
    if isinstance(embedding, list):
        np.save(tmp_path / "a.npy", np.array(embedding, np.float32))
        embedding = tmp_path / "a.npy"
    command = ["--teacher", teacher, "--output_dir", tmp_path / "out"]
    for name, row, kind in ("text", "s t", "text"), ("spembs", embedding, "npy"):
        (tmp_path / name).write_text(f"a {row}\n")
        command += ["--data_path_and_name_and_type", f"{tmp_path}/{name},{name},{kind}"]
    with pytest.raises(ConfigError, match=line):
        dump_speech.main([str(word) for word in command])


def test_f0_requires_waveforms(dump, tmp_path):
    teacher = make_slow(tmp_path / "vits", token_type="phn", **vits())
    dump(teacher, "--latents_only")
    out = dump(teacher, "--latents_only", "--finish")
    with pytest.raises(ConfigError, match=f"{out}: has no waveforms; dump it with --l"):
        dump_f0.main(["--speech", str(out)])
