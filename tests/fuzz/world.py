"""A recipe folder with something valid of each kind, all paths relative to it."""

import contextlib
import json
import logging
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml

from ..bad_input import tone
from ..conftest import (
    FEATURES,
    HOP,
    MEASURES,
    RATE,
    WIDE_FASTSPEECH2,
    Corpus,
    global_mvn,
    make_experiment,
    model_config,
)
from ..students.piper_voice import make_piper
from ..teachers.text_to_wave_models import VITS_GENERATOR, joint, vits
from ..vocoders.big import save_hifigan
from ..voice.tiny import make_voice

CHECKPOINT = "train.loss.ave.pth"
TEACHER = Path("exp/teacher")
TEXTS = {"b1": "two", "b2": "words here"}
PRUNE = {"type": "prune", "granularity": "structured", "pressure": 0.5, "end": 3}
OBJECTIVES = [
    {"type": "mel", "weight": 1.0, "temperature": 2.0},
    {"type": "hidden", "tap": "encoder", "weight": 0.5},
    {"type": "duration"},
]
VOCODER = {
    "tts": "vocoder",
    "tts_conf": {
        "vocoder_type": "istft_generator",
        "vocoder_params": {"channels": 8, "hidden_channels": 16, "layers": 1},
    },
    "feats_extract": "fbank",
    "feats_extract_conf": FEATURES,
}
NARROW = {
    "segment_size": 8,
    "discriminator_size": 4,
    "discriminator_params": {
        "periods": [2],
        "discriminator_params": {"channels": 2, "max_downsample_channels": 4},
    },
}
RUN_SH = """\
train_set=train
./tts.sh --fs 16000 --n_shift 128 --g2p none --cleaner none --token_type char \\
    --train_set "${train_set}" --valid_set valid --test_sets "valid eval" "$@"
"""
LOG = """\
[vm] 2026-11-25 02:52:00,201 (trainer:810) INFO: 1epoch:train:1-5batch: loss=3.991, \
sparsity=0.000e+00sparsity_tts.w_1=0.000e+00
[vm] 2026-11-25 02:53:41,029 (trainer:392) INFO: 1epoch results: [train] loss=3.5, \
time=1 minute and 45.08 seconds, total_count=10, [valid] loss=1.9, total_count=2
"""


def build(root: Path) -> None:
    """Fill an empty folder."""
    logging.disable(logging.INFO)
    with contextlib.chdir(root), open(os.devnull, "w") as nowhere:
        with contextlib.redirect_stderr(nowhere):
            corpus = Corpus(_folder("corpus"))
            _collect(corpus)
            _experiments(corpus)
            _data()
            _clips()
            _trainings(corpus)
            _dumps()
            _evaluation()
            _recipe()
            make_voice(Path("voice"))
    logging.disable(logging.NOTSET)


def _folder(path) -> Path:
    path = Path(path)
    path.mkdir(parents=True)
    return path


def _collect(corpus: Corpus) -> None:
    from espnet2.tasks.tts import TTSTask

    plain = corpus.root / "stats.yaml"
    plain.write_text(yaml.safe_dump(model_config(token_list=str(corpus.token_list))))
    corpus.collect_stats(TTSTask, plain, corpus.root / "stats")


def _experiments(corpus: Corpus) -> None:
    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    make_experiment(TEACHER, tts_conf=WIDE_FASTSPEECH2, **stats)
    make_experiment(Path("exp/student"), **stats)
    pruned = Path("exp/pruned")
    make_experiment(pruned, tts_conf=WIDE_FASTSPEECH2)
    state = torch.load(pruned / CHECKPOINT, weights_only=True)
    for name, tensor in state.items():
        if "feed_forward.w_1" in name:
            tensor[:8] = 0
        if "feed_forward.w_2.weight" in name:
            tensor[:, :8] = 0
    torch.save(state, pruned / CHECKPOINT)
    attentive = _folder("exp/tacotron2")
    (attentive / "config.yaml").write_text(yaml.safe_dump(model_config("tacotron2")))
    (attentive / CHECKPOINT).touch()
    speakers = _folder("exp/speakers")
    data = [["raw/train/utt2sid", "sids", "text_int"]]
    conf = model_config(train_data_path_and_name_and_type=data)
    (speakers / "config.yaml").write_text(yaml.safe_dump(conf))
    (speakers / CHECKPOINT).touch()
    (_folder("raw/org/train") / "spk2sid").write_text("<unk> 0\nb1 1\n")
    save_hifigan(_folder("hifigan"), FEATURES, [8, 16])
    _distilled_vocoder(_folder("exp/vocoder"))
    _text_to_wave()
    with zipfile.ZipFile("packed.zip", "w") as archive:
        files = {"model_file": f"exp/{CHECKPOINT}"}
        meta = {"yaml_files": {"train_config": "exp/config.yaml"}, "files": files}
        archive.writestr("meta.yaml", yaml.safe_dump(meta))
        for name in ("config.yaml", CHECKPOINT):
            archive.write(pruned / name, f"exp/{name}")


def _text_to_wave() -> None:
    """A joint model, a VITS, a vocoder of its latents, and a voice of Piper's."""
    from espnet_distill.utils.checksums import checksum
    from espnet_distill.vocoders.latents import LatentSpec

    make_experiment(Path("exp/joint"), **joint())
    make_experiment(Path("exp/vits"), **vits())
    sha = checksum(Path("exp/vits") / CHECKPOINT)
    channels = VITS_GENERATOR["hidden_channels"]
    latents = LatentSpec(RATE, HOP, channels, 0, sha)
    _distilled_vocoder(_folder("exp/decoder"), latents)
    make_piper(_folder("piper"))


def _distilled_vocoder(folder: Path, latents=None) -> None:
    from espnet_distill.data.mel_spec import MelSpec
    from espnet_distill.vocoders.generators.registry import build_generator

    inputs = latents or MelSpec.of_conf(FEATURES)
    generator = build_generator(VOCODER["tts_conf"], inputs)
    state = {f"tts.generator.{k}": v for k, v in generator.state_dict().items()}
    wide = torch.full((inputs.channels,), 10.0)  # for an input of any loudness
    state |= {"normalize.mean": torch.zeros_like(wide), "normalize.std": wide}
    torch.save(state, folder / CHECKPOINT)
    conf = VOCODER
    if latents:
        conf = conf | {"tts_conf": conf["tts_conf"] | {"latents": latents.as_dict()}}
    (folder / "config.yaml").write_text(yaml.safe_dump(conf))


def _data() -> None:
    """A data folder, and what stage 8 of tts.sh writes of it."""
    source = Path("corpus/valid")
    data, decoded = _folder("data"), _folder("decoded/valid/wav")
    for name in ("text", "wav.scp", "durations"):
        (data / name).write_text((source / name).read_text())
    (data / "utt2spk").write_text("".join(f"{utt} {utt}\n" for utt in TEXTS))
    (data / "utt2sid").write_text("".join(f"{utt} 1\n" for utt in TEXTS))
    (decoded.parent / "durations").write_text((source / "durations").read_text())
    (decoded.parent / "focus_rates").write_text("b1 0.9\nb2 0.8\n")
    systems = (_folder(f"exp/{n}/decode/data/wav") for n in ("teacher", "student"))
    for folder in (decoded, *systems):
        lines = ""
        for utt in TEXTS:
            wave, _ = soundfile.read(source / f"{utt}.wav")
            soundfile.write(folder / f"{utt}.wav", wave[: len(wave) - 200], RATE)
            lines += f"{utt} {folder / utt}.wav\n"
        (folder / "wav.scp").write_text(lines)
    versa = _folder("exp/teacher/decode/data/scoring/versa_eval") / "result.1.txt"
    versa.write_text("".join(f"{{'key': '{utt}', 'pesq': 2.5}}\n" for utt in TEXTS))
    Path("sentences").write_text("one\ntwo words\nthree words here\n")


def _clips() -> None:
    """A corpus in LJSpeech's layout."""
    wavs = _folder("clips/wavs")
    for utt in TEXTS:
        shutil.copy(f"corpus/valid/{utt}.wav", wavs)
    lines = "".join(f"{utt}|{text}\n" for utt, text in TEXTS.items())
    Path("clips/metadata.csv").write_text(lines)
    wavs = _folder("corpus20/wavs")
    for number in range(20):
        soundfile.write(wavs / f"c{number}.wav", tone(), RATE)
    lines = "".join(f"c{number}|a sentence\n" for number in range(20))
    Path("corpus20/metadata.csv").write_text(lines)


def _trainings(corpus: Corpus) -> None:
    common = {"teacher": [str(TEACHER)], "distill_conf": {"objectives": OBJECTIVES}}
    corpus.config(Path("train.yaml"), **common, callbacks=[PRUNE])
    conf = {"objectives": OBJECTIVES, "temperature": 1.5, "fusion": "mean"}
    conf |= {"ground_truth_weight": 0.5}
    dumped = common | {"distill_conf": conf, "teacher_dump": "dump"}
    corpus.config(Path("train_dumped.yaml"), **dumped)
    vocoder = {
        **{key: VOCODER[key] for key in ("tts", "tts_conf")},
        "model_conf": NARROW,
        "teacher_dump": "waves",
        "text2mel": str(TEACHER),
        "distill_conf": {"objectives": [{"type": "stft", "sizes": [64, 256]}]},
        **{"optim": "adamw", "optim_conf": {"lr": 0.002}, "optim2": "adamw"},
        "optim2_conf": {"lr": 0.002, "weight_decay": 0.0},
        **{"num_iters_per_epoch": 4, "max_epoch": 2, "batch_type": "unsorted"},
    }
    Path("train_vocoder.yaml").write_text(yaml.safe_dump(vocoder))


def _dumps() -> None:
    from espnet_distill.bin import dump_teacher as dump
    from espnet_distill.bin import dump_waves, finish_dump

    for name in ("train", "valid"):
        source = Path("corpus") / name
        common = ["--config", "train_dumped.yaml", "--output_dir", f"dump/{name}"]
        files = ("text,text,text", "wav.scp,speech,sound")
        given = [*files, "durations,durations,text_int"]
        words = [*common, "--key_file", str(source / "text")]
        for item in given:
            words += ["--data_path_and_name_and_type", str(source / item)]
        dump.main(words)
        finish_dump.main([*common, "--text", str(source / "text")])
        waves = ["--config", "exp/teacher/config.yaml", "--output_dir", f"waves/{name}"]
        waves += ["--wav_scp", str(source / "wav.scp")]
        dump_waves.main(waves)
        dump_waves.main([*waves, "--finish"])


def _evaluation() -> None:
    from espnet_distill.evaluation import table
    from espnet_distill.evaluation.metrics.bootstrap import Difference
    from espnet_distill.evaluation.metrics.wer import Errors
    from espnet_distill.evaluation.score import Score

    out = _folder("evaluation")
    (TEACHER / "train.log").write_text(LOG)
    (TEACHER / "run.sh").write_text("./tts.sh --tag x\n")
    (Path("exp/student") / "distill.yaml").write_text("teacher_dump: exp/dump\n")
    figures = {"wer": 7.5, "dnsmos": 3.1, "mcd": 6.0, "log_f0_rmse": 0.2}
    figures |= {"duration_error": 12.0, "mel_error": 0.4, "params": 4_000_000}
    figures |= {"size_mb": 16.0, "rtf_text2mel": 0.04, "rtf_text2wav": 0.08}
    rows, scores = [table.Row(name="reference", wer=1.0, dnsmos=3.5)], []
    for name in ("teacher", "student"):
        folder = Path("exp") / name
        paths = {"model": folder / CHECKPOINT, "config": folder / "config.yaml"}
        rows.append(
            table.Row(
                name=name,
                wer_difference=Difference(1.25, -0.5, 3.0),
                versa={"pesq": 2.5},
                **figures,
                **{key: str(path) for key, path in paths.items()},
            )
        )
    for row in rows:
        wavs = _folder(out / "wav" / row.name)
        for utt in TEXTS:
            wave, _ = soundfile.read(f"corpus/valid/{utt}.wav")
            soundfile.write(wavs / f"{utt}.wav", np.tile(wave, 2), RATE)
            scores.append(Score(utt, row.name, Errors(1, 10), 3.0, None, "some words"))
    surroundings = table.environment("data", 2, "tiny.en", "Griffin-Lim")
    table.write(out, rows, surroundings | {"command": "espnet-distill"}, scores)
    (out / "text").write_text("".join(f"{u} {t}\n" for u, t in TEXTS.items()))
    for person, answer in enumerate("ab", start=1):
        line = {"utt": "b1", "a": "teacher", "b": "student", "answer": answer}
        content = {"evaluation": "0", "systems": ["teacher", "student"]}
        Path(f"answers_{person}.json").write_text(
            json.dumps(content | {"answers": [line]})
        )


def _recipe() -> None:
    recipe = _folder("recipe")
    for name in ("tts.sh", "path.sh", "cmd.sh"):
        (recipe / name).touch()
    (recipe / "run.sh").write_text(RUN_SH)
    trained = _folder(recipe / "exp/tts_train")
    conf = yaml.safe_load((TEACHER / "config.yaml").read_text())
    data = [["dump/raw/train/text", "text", "text"]]
    conf |= {f"{n}_data_path_and_name_and_type": data for n in ("train", "valid")}
    (trained / "config.yaml").write_text(yaml.safe_dump(conf))
    (trained / CHECKPOINT).touch()
