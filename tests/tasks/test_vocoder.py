"""A vocoder distilled by ESPnet's GAN trainer, from the dump to the speech."""

import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml
from espnet2.tasks import gan_tts as stock_module

from espnet_distill import register
from espnet_distill.bin import dump_waves
from espnet_distill.errors import ConfigError
from espnet_distill.tasks.checks.check import check
from espnet_distill.tasks.mel2wav import DistillGANTTSTask
from espnet_distill.utils.files import read_table
from espnet_distill.vocoders import build_vocoder
from espnet_distill.vocoders.dump import WaveFiles
from espnet_distill.vocoders.training.segment import Segment

from ..conftest import (
    FEATURES,
    HOP,
    RATE,
    assert_equal,
    global_mvn,
    load,
    make_experiment,
    train_in_two_processes,
    write_stats,
)
from ..vocoders.big import save_hifigan

MODEL = {
    "segment_size": 8,
    "discriminator_size": 4,
    "adversarial_start": 4,
    "reconstruction_updates": 2,
    "discriminator_params": {
        "periods": [2, 3],
        "discriminator_params": {"channels": 2, "max_downsample_channels": 4},
    },
}


@pytest.fixture(scope="module")
def big_vocoder(tmp_path_factory):
    return save_hifigan(tmp_path_factory.mktemp("big"), FEATURES, [8, 16])


def dump(corpus, vocoder, teacher, out, *options):
    for name in ("train", "valid"):
        command = ["--config", teacher / "config.yaml", "--vocoder_file", vocoder]
        command += ["--wav_scp", corpus.root / name / "wav.scp"]
        command += ["--output_dir", out / name, *options]
        dump_waves.main([str(word) for word in command])


@pytest.fixture(scope="module")
def dumped(corpus, teacher, big_vocoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dump")
    dump(corpus, big_vocoder, teacher, folder)
    dump(corpus, big_vocoder, teacher, folder, "--finish")
    return folder


def write_config(teacher, path, dumped, /, **changes):
    config = {
        "tts": "vocoder",
        "tts_conf": {
            "vocoder_type": "istft_generator",
            "vocoder_params": {"channels": 8, "hidden_channels": 16, "layers": 1},
        },
        "model_conf": MODEL,
        "teacher_dump": str(dumped),
        "text2mel": str(teacher),
        "distill_conf": {"objectives": [{"type": "stft", "sizes": [64, 256]}]},
        "optim": "adamw",
        "optim_conf": {"lr": 0.002},
        "optim2": "adamw",
        "optim2_conf": {"lr": 0.002, "weight_decay": 0.0},
        "num_iters_per_epoch": 4,
        "max_epoch": 2,
        "batch_type": "unsorted",
        "batch_size": 2,
        "num_workers": 0,
        "num_att_plot": 0,
        "use_matplotlib": False,
        "use_tensorboard": False,
        "keep_nbest_models": 2,
        "best_model_criterion": [["valid", "mel", "min"]],
    }
    path.write_text(yaml.safe_dump(config | changes))
    return path


def train(corpus, config, out, *options):
    command = ["--config", config, "--output_dir", out, *options]
    DistillGANTTSTask.main(cmd=[str(word) for word in command])
    return out


@pytest.fixture(scope="module")
def trained(corpus, teacher, dumped, tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    return train(
        corpus, write_config(teacher, root / "train.yaml", dumped), root / "exp"
    )


@pytest.mark.slow
def test_two_processes_train_one_vocoder(corpus, teacher, dumped, tmp_path):
    """As on several GPUs, with multiprocessing_distributed."""
    conf = write_config(teacher, tmp_path / "train.yaml", dumped, max_epoch=1)
    command = ["--config", conf, "--output_dir", tmp_path / "exp"]
    command += ["--unused_parameters", "true"]
    args = DistillGANTTSTask.get_parser().parse_args([str(word) for word in command])
    DistillGANTTSTask.check_required_command_args(args)
    train_in_two_processes(DistillGANTTSTask, args)
    checkpoint = torch.load(tmp_path / "exp/checkpoint.pth", weights_only=True)
    assert int(checkpoint["model"]["tts.updates"]) == 4
    assert checkpoint["reporter"]["stats"][1]["train"]["generator_loss"] > 0


def test_the_dump_is_the_output_of_the_vocoder_for_the_recordings_mels(
    corpus, dumped, big_vocoder
):
    from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

    mels, waves = (
        read_table(dumped / "train" / f"{name}.scp") for name in ("mel", "wave")
    )
    assert list(mels) == list(read_table(corpus.root / "train" / "wav.scp"))
    for utterance, path in mels.items():
        sound, _ = soundfile.read(
            corpus.root / "train" / f"{utterance}.wav", dtype="float32"
        )
        mel = LogMelFbank(**FEATURES)(
            torch.from_numpy(sound)[None], torch.tensor([len(sound)])
        )[0][0]
        np.testing.assert_array_equal(np.load(path), mel.numpy())
        wave, rate = soundfile.read(waves[utterance])
        expected = build_vocoder(big_vocoder)(mel).numpy()
        assert rate == RATE and len(wave) == len(mel) * HOP
        assert np.load(dumped / "train" / "f0" / f"{utterance}.npy").shape == (
            len(mel),
        )
        assert expected.std() > 1e-3
        np.testing.assert_allclose(wave, expected, atol=1 / 2**15)


def test_without_a_vocoder_the_recordings_are_dumped(corpus, teacher, tmp_path):
    dump(corpus, "none", teacher, tmp_path)
    dump(corpus, "none", teacher, tmp_path, "--finish")
    for utterance, path in read_table(tmp_path / "train" / "wave.scp").items():
        sound, _ = soundfile.read(corpus.root / "train" / f"{utterance}.wav")
        wave, rate = soundfile.read(path)
        assert rate == RATE and len(wave) == (len(sound) // HOP + 1) * HOP
        np.testing.assert_array_equal(wave[: len(sound)], sound)
        assert not wave[len(sound) :].any()


def test_the_dump_has_f0_in_hz_where_there_is_one(teacher, tmp_path):
    (tmp_path / "wavs").mkdir()
    time = np.arange(2 * RATE) / RATE
    tone = sum(np.cos(2 * np.pi * 150 * k * time) / k for k in range(1, 20)) / 10
    soundfile.write(tmp_path / "wavs/a.wav", np.where(time < 1, tone, 0), RATE)
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/wavs/a.wav\n")
    command = ["--config", teacher / "config.yaml", "--wav_scp", tmp_path / "wav.scp"]
    for more in ([], ["--finish"]):
        words = [*command, "--output_dir", tmp_path / "dump", *more]
        dump_waves.main([str(word) for word in words])
    f0 = np.load(read_table(tmp_path / "dump/f0.scp")["a"])
    middle = RATE // HOP
    assert len(f0) == 2 * RATE // HOP + 1
    np.testing.assert_allclose(f0[10 : middle - 10], 150, rtol=0.01)
    assert not f0[middle + 10 :].any()


def test_a_dump_without_f0_is_refused(corpus, teacher, dumped, tmp_path):
    former = tmp_path / "former"
    shutil.copytree(dumped, former)
    for manifest in former.glob("*/manifest.yaml"):
        manifest_values = yaml.safe_load(manifest.read_text())
        del manifest_values["f0"]
        manifest.write_text(yaml.safe_dump(manifest_values))
    config = write_config(teacher, tmp_path / "train.yaml", former)
    with pytest.raises(ConfigError, match="lists no F0; remove the folder"):
        train(corpus, config, tmp_path / "exp")


HARMONIC = {
    "tts_conf": {
        "vocoder_type": "harmonic_istft_generator",
        "vocoder_params": {"channels": 8, "hidden_channels": 16, "layers": 1},
    },
    "distill_conf": {
        "objectives": [
            {"type": "stft", "complex": 0.0, "sizes": [64, 256]},
            {"type": "f0", "weight": 3.0},
        ]
    },
}


SEGMENTS = {"model_conf": MODEL | {"segment_size": 16}}  # for spectra of 2048


def test_one_with_pulses_learns_f0_and_resumes_bit_for_bit(
    corpus, teacher, dumped, tmp_path
):
    config = write_config(teacher, tmp_path / "train.yaml", dumped, **HARMONIC)
    summary = f"{dumped} -> harmonic_istft_generator by stft, f0"
    assert check(config, []) == summary
    default = HARMONIC | SEGMENTS | {"distill_conf": {}}
    default = write_config(teacher, tmp_path / "default.yaml", dumped, **default)
    assert check(default, []) == summary
    whole = train(corpus, config, tmp_path / "whole")
    train(corpus, config, tmp_path / "exp", "--max_epoch", "1")
    train(corpus, config, tmp_path / "exp", "--resume", "true")
    state = load(whole / "2epoch.pth")
    assert_equal(load(tmp_path / "exp" / "2epoch.pth"), state)
    before = load(whole / "1epoch.pth")["tts.generator.log_f0.weight"]
    assert not torch.equal(before, state["tts.generator.log_f0.weight"])
    vocoder = build_vocoder(whole / "valid.mel.ave.pth")
    mel = np.load(next(iter(read_table(dumped / "valid" / "mel.scp").values())))
    wave = vocoder(torch.from_numpy(mel))
    assert wave.shape == (len(mel) * HOP,) and wave.isfinite().all() and wave.std() > 0


PARAMS = HARMONIC["tts_conf"]["vocoder_params"] | {"free_phase": True}
OBJECTIVES = HARMONIC["distill_conf"]["objectives"]
FREE_PHASE = {
    "tts_conf": HARMONIC["tts_conf"] | {"vocoder_params": PARAMS},
    "distill_conf": {
        "objectives": [*OBJECTIVES, {"type": "free_phase", "sizes": [256]}]
    },
}


def with_component(dumped, out):
    """Copy a dump of waves, and list them as their components with free phases, too."""
    shutil.copytree(dumped, out)
    for name in ("train", "valid"):
        rows = []
        for utterance, wave in read_table(out / name / "wave.scp").items():
            path = out / name / f"{utterance}.npy"
            np.save(path, soundfile.read(wave)[0].astype(np.float16))
            rows.append(f"{utterance} {path}\n")
        (out / name / "free_phase.scp").write_text("".join(rows))
    return out


def test_a_component_of_free_phase_is_learnt_from_the_dump(
    corpus, teacher, dumped, tmp_path
):
    path = tmp_path / "train.yaml"
    default = FREE_PHASE | SEGMENTS | {"distill_conf": {}}
    with pytest.raises(ConfigError, match="train/free_phase.scp: no such file; leave"):
        check(write_config(teacher, path, dumped, **default), [])
    complete = with_component(dumped, tmp_path / "dump")
    config = write_config(teacher, path, complete, **default)
    assert check(config, []).endswith("by stft, f0, free_phase")
    config = write_config(teacher, path, complete, **FREE_PHASE)
    out = train(corpus, config, tmp_path / "exp")
    one, two = (load(out / f"{n}epoch.pth") for n in (1, 2))
    name = "tts.generator.free.weight"
    assert not torch.equal(one[name], two[name])
    assert build_vocoder(out / "valid.mel.ave.pth").generator.has_free_phase


def test_the_discriminator_starts_at_the_configured_step(trained):
    first, last = (load(trained / f"{epoch}epoch.pth") for epoch in (1, 2))
    assert first["tts.updates"] == 4 and last["tts.updates"] == 8
    weights = [key for key in last if key.startswith("tts.discriminator.")]
    optimizer = load(trained / "checkpoint.pth")["optimizers"][1]["state"]
    steps = sorted(int(state["step"]) for state in optimizer.values())
    assert steps == [4] * (len(steps) - 1) + [8]  # the one that carries a loss of 0
    assert any(not torch.equal(first[key], last[key]) for key in weights)


def test_the_trained_vocoder_loads_and_synthesizes(trained, dumped):
    vocoder = build_vocoder(trained / "valid.mel.ave.pth")
    mel = np.load(next(iter(read_table(dumped / "valid" / "mel.scp").values())))
    wave = vocoder(torch.from_numpy(mel))
    assert wave.shape == (len(mel) * HOP,) and wave.isfinite().all() and wave.std() > 0


def test_training_brings_the_waves_nearer(corpus, teacher, dumped, trained, tmp_path):
    config = write_config(
        teacher,
        tmp_path / "train.yaml",
        dumped,
        num_iters_per_epoch=60,
        max_epoch=1,
        model_conf=MODEL | {"adversarial_start": 1000},
    )
    longer = train(corpus, config, tmp_path / "exp")
    losses = [load(exp / "checkpoint.pth")["reporter"] for exp in (trained, longer)]
    early, late = (loss["stats"][1]["valid"]["mel"] for loss in losses)
    assert late < 0.8 * early


def test_a_killed_run_resumes_bit_for_bit(corpus, teacher, dumped, trained, tmp_path):
    config = write_config(teacher, tmp_path / "train.yaml", dumped)
    out = tmp_path / "exp"
    train(corpus, config, out, "--max_epoch", "1")
    train(corpus, config, out, "--resume", "true")
    assert_equal(load(out / "2epoch.pth"), load(trained / "2epoch.pth"))


def test_a_run_does_not_resume_with_another_noise(corpus, teacher, dumped, tmp_path):
    """Weights do not tell; config.yaml, which is read for the inference, stays."""
    out, path = tmp_path / "exp", tmp_path / "train.yaml"
    params = {"channels": 8, "hidden_channels": 16, "layers": 1}
    conf = {"vocoder_type": "harmonic_istft_generator", "vocoder_params": params}
    objectives = [{"type": "stft", "sizes": [64], "complex": 0.0}, {"type": "f0"}]
    options = {"distill_conf": {"objectives": objectives}, "max_epoch": 1}
    train(corpus, write_config(teacher, path, dumped, tts_conf=conf, **options), out)
    before = (out / "config.yaml").read_bytes()
    other = conf | {"vocoder_params": params | {"noise": "phases"}}
    changed = write_config(teacher, path, dumped, tts_conf=other, **options)
    line = (
        "config.yaml: tts_conf.vocoder_params.noise: gaussian, but this training has p"
    )
    with pytest.raises(ConfigError, match=line):
        train(corpus, changed, out, "--resume", "true")
    assert (out / "config.yaml").read_bytes() == before
    same = conf | {"vocoder_params": params | {"noise": "gaussian"}}
    again = write_config(teacher, path, dumped, tts_conf=same, **options)
    train(corpus, again, out, "--resume", "true")


def test_a_run_does_not_resume_with_other_waves(
    corpus, teacher, dumped, trained, big_vocoder, tmp_path
):
    out, other = tmp_path / "exp", tmp_path / "other"
    shutil.copytree(trained, out, symlinks=True)
    shutil.copytree(dumped, tmp_path / "dump")
    for manifest in (tmp_path / "dump").glob("*/manifest.yaml"):
        found = yaml.safe_load(manifest.read_text())
        found["teacher"]["vocoder_sha256"] = "0" * 64
        manifest.write_text(yaml.safe_dump(found))
    config = write_config(teacher, tmp_path / "train.yaml", tmp_path / "dump")
    before = {path: path.read_bytes() for path in out.glob("*.yaml")}
    resume = ("--resume", "true", "--max_epoch", "3")
    with pytest.raises(ConfigError, match="the waves of the train set were others"):
        train(corpus, config, out, *resume)
    assert {path: path.read_bytes() for path in out.glob("*.yaml")} == before
    shutil.copytree(dumped, other)
    config = write_config(teacher, tmp_path / "train.yaml", other)  # the same ones
    train(corpus, config, out, *resume)
    record = yaml.safe_load((out / "distill.yaml").read_text())
    assert record["teacher_dump"] == str(other)
    assert len(record["teacher"]["vocoder_sha256"]) == 64


def test_a_checkpoint_that_names_no_waves_is_taken_with_a_warning(
    corpus, teacher, dumped, trained, tmp_path, caplog
):
    out = tmp_path / "exp"
    shutil.copytree(trained, out, symlinks=True)
    checkpoint = load(out / "checkpoint.pth")
    del checkpoint["optimizers"][0]["espnet_distill"]
    torch.save(checkpoint, out / "checkpoint.pth")
    config = write_config(teacher, tmp_path / "train.yaml", dumped)
    train(corpus, config, out, "--resume", "true")
    assert "has no checksums of its dump" in caplog.text


def test_recordings_that_are_given_pass_for_real(
    corpus, teacher, dumped, trained, tmp_path
):
    config = write_config(teacher, tmp_path / "train.yaml", dumped)
    given = []
    for name in ("train", "valid"):
        path = corpus.root / name / "wav.scp"
        given += [f"--{name}_data_path_and_name_and_type", f"{path},speech,sound"]
    out = train(corpus, config, tmp_path / "exp", *given)
    # the first epoch uses no recordings
    assert_equal(load(out / "1epoch.pth"), load(trained / "1epoch.pth"))
    tuned, before = (load(exp / "2epoch.pth") for exp in (out, trained))
    changed = {
        key.split(".")[1] for key in tuned if not torch.equal(tuned[key], before[key])
    }
    assert changed == {"generator", "discriminator"}


@pytest.mark.parametrize(
    "shape, rate, line",
    [
        ((4000,), 22050, "a1: has 22050 Hz, expected 16000; resample it"),
        ((4000, 2), RATE, "a1: has 2 channels, expected 1; mix them down"),
        (None, RATE, "wav.scp: no wav.scp for a1"),
    ],
)
def test_recordings_that_are_given_fit_the_waves(
    shape, rate, line, corpus, teacher, dumped, tmp_path
):
    recordings = read_table(corpus.root / "train/wav.scp")
    assert recordings.pop("a1")
    if shape:
        soundfile.write(tmp_path / "a1.wav", np.zeros(shape), rate)
        recordings["a1"] = tmp_path / "a1.wav"
    table = tmp_path / "wav.scp"
    table.write_text("".join(f"{key} {path}\n" for key, path in recordings.items()))
    given = {"train_data_path_and_name_and_type": [[str(table), "speech", "sound"]]}
    config = write_config(teacher, tmp_path / "train.yaml", dumped, **given)
    with pytest.raises(ConfigError, match=line):
        train(corpus, config, tmp_path / "exp")
    assert not (tmp_path / "exp").exists()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"teacher_dump": None}, "teacher_dump: missing"),
        ({"teacher_dump": "/nowhere"}, "/nowhere/train: no finished dump"),
        ({"text2mel": None}, "text2mel: missing"),
        ({"text2mel": "/nowhere"}, "/nowhere: no such experiment folder"),
        ({"batch_type": "sorted"}, "batch_type: sorted"),
        ({"generator_first": True}, "generator_first: "),
        ({"accum_grad": 2}, "accum_grad: ESPnet's GAN trainer"),
        (
            {"distill_conf": {"objectives": [{"type": "stft", "sizes": [256, 2048]}]}},
            "segment_size: a segment has 1024 samples; spectra of 2048 require more",
        ),
        ({"ngpu": 2}, "ngpu: 2 in one process .*set multiprocessing_distributed: true"),
        ({"skip_discriminator_prob": 0.5}, "skip_discriminator_prob: not supported"),
        ({"teacher": ["exp"]}, "teacher: not supported for a vocoder"),
        (
            {"callbacks": [{"type": "prune", "pressure": 0.5, "end": 3}]},
            "callbacks: not supported",
        ),
        (
            {"distill_conf": {"temperature": 2.0}},
            "distill_conf.temperature: not supported",
        ),
        ({"model_conf": {"segment": 8}}, "model_conf: .*segment"),
        ({"model_conf": MODEL | {"discriminator_size": 9}}, "not between 1 and"),
        ({"model_conf": MODEL | {"reconstruction_end": 0}}, "reconstruction_end"),
        (
            {
                "model_conf": MODEL
                | {"discriminator_type": "parallel_wavegan_discriminator"}
            },
            "'parallel_wavegan_discriminator'; near: style_melgan",
        ),
        (
            {"model_conf": MODEL | {"discriminator_type": "hifigan"}},
            "discriminator_type: 'hifigan'; near: hifigan_scale",
        ),
        (
            {"distill_conf": {"objectives": [{"type": "mel"}]}},
            "a waveform only; use stft",
        ),
        (
            {"distill_conf": {"objectives": [{"type": "f0"}]}},
            "f0: only a harmonic_istft",
        ),
        (
            {"distill_conf": {"objectives": [{"type": "free_phase"}]}},
            "free_phase: the generator has no free_phase; set tts_conf",
        ),
        (
            HARMONIC
            | {"distill_conf": {"objectives": [{"type": "stft", "complex": 0}]}},
            "requires the f0 objective; add {type: f0",
        ),
        (
            HARMONIC
            | {"distill_conf": {"objectives": [{"type": "f0"}, {"type": "stft"}]}},
            "stft.complex: a harmonic_istft_generator sets its phases itself; use 0",
        ),
        (
            {"tts": "vits", "tts_conf": {}},
            "teacher_dump, text2mel: not supported for tts: vits",
        ),
    ],
)
def test_what_cannot_train_is_refused(
    corpus, teacher, dumped, tmp_path, changes, message
):
    config = write_config(teacher, tmp_path / "train.yaml", dumped, **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        train(corpus, config, tmp_path / "exp", "--token_list", corpus.token_list)
    assert len(caught.value.faults) == (2 if "/nowhere/train" in message else 1)
    assert not list(tmp_path.glob("exp/*.pth"))
    if "vits" not in message:
        with pytest.raises(ConfigError, match=message):
            check(config, [])


def test_a_check_before_the_dump(teacher, dumped, tmp_path):
    path = tmp_path / "train.yaml"
    summary = f"{dumped} -> istft_generator by stft"
    assert check(write_config(teacher, path, dumped), []) == summary
    later = tmp_path / "later"
    summary = f"{later} -> istft_generator by stft"
    assert check(write_config(teacher, path, later), [], planned=True) == summary
    write_config(
        teacher,
        path,
        later,
        max_epochs=3,
        optim2_conf={"rate": 1},
        scheduler="onecyclelr",
        scheduler_conf={"max_lr": 0.1, "total_steps": 7},
    )
    with pytest.raises(ConfigError) as caught:
        check(path, [], planned=True)
    key, ends, rate = caught.value.faults
    assert "no key 'max_epochs'; near: max_epoch" in key
    assert ends.startswith("scheduler_conf.total_steps: onecyclelr ends at step 7")
    assert rate.startswith("optim2_conf: ") and "'rate'" in rate


def test_mels_of_another_kind_are_refused_with_both_values(corpus, dumped, tmp_path):
    others = FEATURES | {"n_mels": 24, "fmax": 7000}
    stats = write_stats(tmp_path / "stats.npz", [0.0] * 24, [1.0] * 24)
    served = make_experiment(
        tmp_path / "served", feats_extract_conf=others, **global_mvn(feats=stats)
    )
    config = write_config(served, tmp_path / "train.yaml", dumped)
    with pytest.raises(ConfigError) as caught:
        train(corpus, config, tmp_path / "exp")
    for line in caught.value.faults:
        assert "number of mels 20, but feats_extract_conf.n_mels is 24" in line
        assert "frequency 7600, but feats_extract_conf.fmax is 7000" in line
    assert len(caught.value.faults) == 2  # train and valid


def test_a_dump_of_another_vocoder_is_not_mixed_in(
    corpus, dumped, teacher, big_vocoder, tmp_path
):
    begun = tmp_path / "begun"
    shutil.copytree(dumped, begun)
    other = tmp_path / "other" / "checkpoint.pkl"
    shutil.copytree(big_vocoder.parent, other.parent)
    state = torch.load(other, weights_only=True)
    next(iter(state["model"]["generator"].values())).mul_(2)
    torch.save(state, other)
    with pytest.raises(ConfigError, match="waves of another vocoder"):
        dump(corpus, other, teacher, begun)


def test_an_unfinished_dump_names_what_is_missing(
    corpus, dumped, teacher, big_vocoder, tmp_path
):
    part = tmp_path / "part"
    shutil.copytree(dumped, part)
    (part / "train" / "wave" / "a2.wav").unlink()
    with pytest.raises(ConfigError, match="1 of 4 utterances are not dumped: a2"):
        dump(corpus, big_vocoder, teacher, part, "--finish")


@pytest.mark.parametrize("name", ["mel/a2.npy", "f0/a2.npy", "wave/a2.wav"])
def test_a_file_of_a_dump_that_lost_its_end_is_refused(
    name, dumped, teacher, big_vocoder, corpus, tmp_path
):
    part = tmp_path / "part"
    shutil.copytree(dumped, part)
    for scp in part.glob("train/*.scp"):
        scp.write_text(scp.read_text().replace(str(dumped), str(part)))
    config = write_config(teacher, tmp_path / "train.yaml", part)
    assert "istft_generator" in check(config, [])
    path = part / "train" / name
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ConfigError, match=f"{name}: is missing or incomplete"):
        check(config, [])
    with pytest.raises(ConfigError, match="1 of 4 utterances are not dumped: a2"):
        dump(corpus, big_vocoder, teacher, part, "--finish")


def test_a_segment_is_of_one_place():
    frames = np.arange(50, dtype=np.float32)
    data = {"mel": np.stack([frames] * 3, 1), "teacher_wave": np.repeat(frames, HOP)}
    data["f0"] = frames
    for train in (True, False):
        cut = Segment(8, HOP, train)("utterance", dict(data))
        assert cut["mel"].shape == (8, 3) and cut["teacher_wave"].shape == (8 * HOP,)
        np.testing.assert_array_equal(cut["teacher_wave"][::HOP], cut["mel"][:, 0])
        np.testing.assert_array_equal(cut["f0"], cut["mel"][:, 0])
    short = Segment(60, HOP, True)("utterance", dict(data))
    assert short["mel"].shape == (60, 3) and (short["mel"][50:] == 49).all()
    assert (short["teacher_wave"][50 * HOP :] == 0).all() and (
        short["f0"][50:] == 0
    ).all()


def test_other_models_are_stock(monkeypatch):
    stock = stock_module.GANTTSTask
    register()
    assert stock_module.GANTTSTask is DistillGANTTSTask
    parser = DistillGANTTSTask.get_parser()
    conf = ["--tts_conf", "generator_params={hidden_channels: 8}"]
    assert parser.parse_args(["--tts", "vits", *conf]).tts == "vits"
    monkeypatch.setattr(DistillGANTTSTask, "trains_vocoder", False)
    assert DistillGANTTSTask.required_data_names() == ("text", "speech")
    stock_module.GANTTSTask = stock


@pytest.mark.parametrize(
    "shape, rate, line",
    [
        ((4000,), 22050, "a: has 22050 Hz, expected 16000"),
        ((4000, 2), RATE, "a: has 2 channels, expected 1"),
        ((200,), RATE, "a: has 200 samples, expected at least 257"),
    ],
)
def test_recordings_that_do_not_fit_the_mels_are_refused(
    shape, rate, line, teacher, tmp_path
):
    soundfile.write(tmp_path / "a.wav", np.zeros(shape), rate)
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/a.wav\n")
    command = ["--config", teacher / "config.yaml", "--wav_scp", tmp_path / "wav.scp"]
    words = [*command, "--output_dir", tmp_path / "dump"]
    with pytest.raises(ConfigError, match=line):
        dump_waves.main([str(word) for word in words])
    assert not (tmp_path / "dump").exists()


@pytest.mark.parametrize("shape", [(60, 20), (32, 24), (32,), None])
def test_mels_that_are_not_at_the_recordings_durations_are_refused(
    shape, teacher, tmp_path
):
    """As those of a synthesis without teacher forcing; else segments would not agree."""
    soundfile.write(tmp_path / "a.wav", np.full(31 * HOP, 0.1), RATE)
    (tmp_path / "wav.scp").write_text(f"a {tmp_path}/a.wav\n")
    (tmp_path / "mel.scp").write_text(f"a {tmp_path}/a.npy\n")
    if shape:
        np.save(tmp_path / "a.npy", np.zeros(shape, np.float32))
    command = ["--config", teacher / "config.yaml", "--wav_scp", tmp_path / "wav.scp"]
    command += ["--mel_scp", tmp_path / "mel.scp", "--output_dir", tmp_path / "dump"]
    line = "but the recording has 32 frames of 20; name" if shape else "no such file"
    with pytest.raises(ConfigError, match=f"mel.scp: a: .*{line}"):
        dump_waves.main([str(word) for word in command])
    np.save(tmp_path / "a.npy", np.zeros((31, 20), np.float32))
    dump_waves.main([str(word) for word in command])


@pytest.mark.parametrize("name", ["mel", "f0", "wave"])
def test_waves_that_are_not_finite_are_not_written(name, tmp_path):
    arrays = {"mel": np.zeros((4, 20)), "f0": np.zeros(4), "wave": np.zeros(512)}
    arrays[name].flat[0] = np.inf
    files = WaveFiles(tmp_path)
    with pytest.raises(
        ConfigError, match=f"{tmp_path}: a1: NaN or infinity in {name};"
    ):
        files.write("a1", arrays, RATE, "check the recording")
    assert not files.has("a1") and not list(tmp_path.rglob("*.npy"))


def test_mels_of_an_unknown_extractor_are_refused(corpus, dumped, tmp_path):
    """A model with `odim` was trained on features that came with its data."""
    fed = make_experiment(tmp_path / "fed", odim=20)
    config = write_config(fed, tmp_path / "train.yaml", dumped)
    with pytest.raises(ConfigError, match=f"text2mel: {fed}: odim: 20: its features"):
        check(config, [])
    with pytest.raises(ConfigError, match="config.yaml: odim: 20: its features"):
        dump(corpus, "none", fed, tmp_path / "dump")
