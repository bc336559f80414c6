"""A tiny corpus, and tiny experiments on it made by stock ESPnet."""

import argparse
import contextlib
import copy
import os
import socket
import string
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
import yaml

os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")

RATE, HOP = 16000, 128
TOKENS = ["<blank>", "<unk>", "<space>", *string.ascii_lowercase, "<sos/eos>"]
STFT = {"fs": RATE, "n_fft": 512, "hop_length": HOP}
FEATURES = {**STFT, "n_mels": 20}
PITCH = {**STFT, "f0min": 80, "f0max": 400}
MEASURES = ("feats", "pitch", "energy")

PREDICTORS = {
    f"{kind}_predictor_{name}": value
    for kind in ("duration", "pitch", "energy")
    for name, value in {"layers": 1, "chans": 8}.items()
}
FASTSPEECH2 = {
    "adim": 8,
    "aheads": 2,
    "elayers": 1,
    "eunits": 16,
    "dlayers": 1,
    "dunits": 16,
    "postnet_layers": 2,
    "postnet_chans": 8,
    **PREDICTORS,
}
STEADY_FASTSPEECH2 = {  # nothing random in training mode
    **FASTSPEECH2,
    "postnet_layers": 0,
    "duration_predictor_dropout_rate": 0.0,
    **{
        f"transformer_{part}_{kind}dropout_rate": 0.0
        for part in ("enc", "dec")
        for kind in ("", "positional_", "attn_")
    },
    **{
        f"{kind}_{part}_dropout": 0.0
        for kind in ("pitch", "energy")
        for part in ("predictor", "embed")
    },
}
WIDE_FASTSPEECH2 = {**FASTSPEECH2, "adim": 16}
CONFORMER = {
    **WIDE_FASTSPEECH2,
    "encoder_type": "conformer",
    "decoder_type": "conformer",
    "conformer_enc_kernel_size": 3,
    "conformer_dec_kernel_size": 3,
}
TACOTRON2 = {
    "embed_dim": 8,
    "eunits": 8,
    "econv_layers": 1,
    "econv_chans": 8,
    "adim": 8,
    "aconv_chans": 2,
    "aconv_filts": 3,
    "dunits": 16,
    "prenet_units": 8,
    "postnet_layers": 2,
    "postnet_chans": 8,
}
TRANSFORMER = {
    "embed_dim": 8,
    "eprenet_conv_layers": 0,
    "adim": 8,
    "aheads": 2,
    "elayers": 1,
    "eunits": 16,
    "dlayers": 2,
    "dunits": 16,
    "dprenet_units": 8,
    "postnet_layers": 0,
}
FASTSPEECH = {key: FASTSPEECH2[key] for key in list(FASTSPEECH2)[:8]}
PRODIFF = {
    **{key: FASTSPEECH2[key] for key in ("adim", "aheads", "elayers", "eunits")},
    **PREDICTORS,
    "denoiser_layers": 2,
    "denoiser_channels": 8,
    "diffusion_steps": 2,
}
WIDE_TACOTRON2 = {**TACOTRON2, "eunits": 16}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Sums of floats are equal bit for bit, and tiny models fast, on one thread.

    Anew for every test: some libraries set the number for the whole process.
    """
    torch.set_num_threads(1)


def model_config(tts="fastspeech2", tts_conf=FASTSPEECH2, **changes):
    """What describes a model: ESPnet's keys, without statistics unless given."""
    config = {
        "tts": tts,
        "tts_conf": tts_conf,
        "feats_extract_conf": FEATURES,
        "normalize": None,
        "token_list": TOKENS,
        "token_type": "char",
        "cleaner": None,
        "g2p": None,
    }
    if tts in ("fastspeech2", "prodiff"):
        config |= {
            "pitch_extract": "dio",
            "pitch_extract_conf": PITCH,
            "energy_extract": "energy",
            "energy_extract_conf": STFT,
        }
    return copy.deepcopy(config | changes)


def make_experiment(folder, seed=0, **config):
    """Write config.yaml and train.loss.ave.pth as a training by stock ESPnet does."""
    from espnet2.tasks.tts import TTSTask

    folder.mkdir(parents=True)
    train_config = folder / "train.yaml"
    train_config.write_text(yaml.safe_dump(model_config(**config)))
    options = ["--config", str(train_config), "--output_dir", str(folder)]
    TTSTask.main(cmd=[*options, "--dry_run", "true"])
    torch.manual_seed(seed)
    model, _ = TTSTask.build_model_from_file(folder / "config.yaml")
    torch.save(model.state_dict(), folder / "train.loss.ave.pth")
    return folder


def load_stock(folder, name="train.loss.ave.pth"):
    """Build an experiment's model with stock ESPnet."""
    from espnet2.tasks.tts import TTSTask

    model, _ = TTSTask.build_model_from_file(folder / "config.yaml", folder / name)
    return model


def random_batch(seed=0, utterances=((5, 40), (3, 25)), with_durations=True):
    """A batch as ESPnet's collate function makes it, pitch and energy raw.

    Each utterance is (tokens without end of sentence, frames), the longest first.
    """
    generator = torch.Generator().manual_seed(seed)
    tokens, frames = map(torch.tensor, zip(*utterances))
    samples = (frames - 1) * HOP
    shape = (len(tokens), tokens.max())
    text = torch.randint(3, len(TOKENS) - 1, shape, generator=generator)
    speech = torch.randn(len(tokens), samples.max(), generator=generator)
    batch = {"text": text, "text_lengths": tokens}
    batch |= {"speech": 0.1 * speech, "speech_lengths": samples}
    if with_durations:
        counted = tokens + 1
        durations = torch.zeros(len(tokens), counted.max(), dtype=torch.long)
        for row, count, total in zip(durations, counted, frames):
            row[:count] = total // count
            row[0] += total % count
        pitch = 100 + 100 * torch.rand(*durations.shape, 1, generator=generator)
        energy = 1 + torch.rand(*durations.shape, 1, generator=generator)
        for name, value in zip(
            ("durations", "pitch", "energy"), (durations, pitch, energy)
        ):
            batch |= {name: value, f"{name}_lengths": counted.clone()}
    real = {"text": tokens, "speech": samples}
    for name in ("text", "speech", "pitch", "energy"):
        if name in batch:
            lengths = real.get(name, tokens + 1)
            for row, length in zip(batch[name], lengths):
                row[length:] = 0
    return batch


def write_stats(path, means, deviations):
    """Write what GlobalMVN reads, so that it has these means and deviations."""
    means, deviations = np.asarray(means), np.asarray(deviations)
    np.savez(path, count=1, sum=means, sum_square=deviations**2 + means**2)
    return str(path)


def global_mvn(**stats_files):
    """Configuration keys that normalise feats, pitch or energy by these files."""
    config = {}
    for name, path in stats_files.items():
        key = "normalize" if name == "feats" else f"{name}_normalize"
        config |= {key: "global_mvn", f"{key}_conf": {"stats_file": str(path)}}
    return config


class Corpus:
    """Data folders train and valid, durations and statistics, all of them tiny."""

    TEXTS = {
        "train": {"a1": "one short", "a2": "ab", "a3": "some words", "a4": "again"},
        "valid": {"b1": "two", "b2": "words here"},
    }

    def __init__(self, root):
        self.root = root
        self.token_list = root / "tokens.txt"
        self.token_list.write_text("".join(f"{token}\n" for token in TOKENS))
        for number, (name, texts) in enumerate(self.TEXTS.items()):
            self._write(root / name, texts, np.random.default_rng(number))

    def _write(self, folder, texts, rng):
        folder.mkdir()
        lines = {"text": [], "wav.scp": [], "durations": []}
        for name, text in texts.items():
            durations = rng.integers(3, 9, len(text) + 1)
            samples = (durations.sum() - 1) * HOP
            time = np.arange(samples) / RATE
            phase = 2 * np.pi * (rng.integers(110, 250) * (time + 0.4 * time**2))
            wave = sum(np.sin(k * phase) / k for k in range(1, 12))
            wave = 0.1 * wave * np.hanning(samples) + 0.001 * rng.standard_normal(
                samples
            )
            soundfile.write(folder / f"{name}.wav", wave, RATE)
            lines["text"].append(f"{name} {text}\n")
            lines["wav.scp"].append(f"{name} {folder / name}.wav\n")
            lines["durations"].append(f"{name} {' '.join(map(str, durations))}\n")
        for name, rows in lines.items():
            (folder / name).write_text("".join(rows))

    def data(self, durations=True):
        """Options that name the data of a run."""
        options = []
        for name in self.TEXTS:
            files = [("text", "text", "text"), ("wav.scp", "speech", "sound")]
            if durations:
                files.append(("durations", "durations", "text_int"))
            for file, key, kind in files:
                triple = f"{self.root / name / file},{key},{kind}"
                options += [f"--{name}_data_path_and_name_and_type", triple]
        return options

    def stats(self, measure):
        return str(self.root / "stats" / "train" / f"{measure}_stats.npz")

    def collect_stats(self, task, config, out, durations=True):
        """Stage 6 of tts.sh."""
        options = self.data(durations)
        for name in self.TEXTS:
            options += [f"--{name}_shape_file", str(self.root / name / "wav.scp")]
        options += ["--config", str(config), "--output_dir", str(out)]
        task.main(cmd=[*options, "--collect_stats", "true"])

    def config(self, path, tts="fastspeech2", tts_conf=FASTSPEECH2, **changes):
        """Write the configuration of a training of two steps an epoch."""
        measures = MEASURES if tts == "fastspeech2" else ("feats",)
        config = model_config(tts, tts_conf) | {
            **global_mvn(**{name: self.stats(name) for name in measures}),
            "token_list": str(self.token_list),
            "optim": "adam",
            "optim_conf": {"lr": 0.01},
            "scheduler": "warmuplr",
            "scheduler_conf": {"warmup_steps": 3},
            "max_epoch": 2,
            "batch_type": "sorted",
            "batch_size": 2,
            "sort_in_batch": "descending",
            "sort_batch": "descending",
            "num_workers": 0,
            "num_att_plot": 0,
            "use_matplotlib": False,
            "use_tensorboard": False,
            "keep_nbest_models": 2,
            "best_model_criterion": [["train", "loss", "min"]],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(config | changes))
        return path

    def training(self, config, out, durations=True):
        """The command line of a training, stage 7 of tts.sh."""
        options = self.data(durations)
        for name in self.TEXTS:
            shape = self.root / "stats" / name / "speech_shape"
            options += [f"--{name}_shape_file", str(shape)]
        return [*options, "--config", str(config), "--output_dir", str(out)]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    from espnet2.tasks.tts import TTSTask

    corpus = Corpus(tmp_path_factory.mktemp("corpus"))
    plain = corpus.root / "stats.yaml"
    plain.write_text(yaml.safe_dump(model_config(token_list=str(corpus.token_list))))
    corpus.collect_stats(TTSTask, plain, corpus.root / "stats")
    return corpus


@pytest.fixture(scope="session")
def teacher(corpus, tmp_path_factory):
    """A FastSpeech2 wider than the students, with the corpus's statistics."""
    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    folder = tmp_path_factory.mktemp("exp") / "teacher"
    return make_experiment(folder, tts_conf=WIDE_FASTSPEECH2, **stats)


def run_python(*arguments, **options):
    """Run this Python on one thread, as a user would, and return what came of it."""
    options.setdefault("env", os.environ | {"OMP_NUM_THREADS": "1"})
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def free_port():
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def train_in_two_processes(task, args):
    """Let ESPnet's children train one model, as its launcher spawns them."""
    args.distributed, args.dist_backend = True, "gloo"
    args.dist_world_size, args.version = 2, "test"
    args.dist_init_method = f"tcp://localhost:{free_port()}"
    spawn = torch.multiprocessing.get_context("spawn")
    children = []
    for rank in range(2):
        local = argparse.Namespace(
            **vars(args) | {"dist_rank": rank, "local_rank": rank}
        )
        child = spawn.Process(target=task.main_worker, args=(local,))
        child.start()
        children.append(child)
    for child in children:
        child.join(300)
        assert child.exitcode == 0


def files(folder):
    """Names of what is in a folder, however deep."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def assert_equal(actual, expected, where=""):
    """Compare what a checkpoint holds, bit for bit."""
    assert type(actual) is type(expected), where
    if isinstance(actual, torch.Tensor):
        assert torch.equal(actual, expected), where
    elif isinstance(actual, dict):
        assert list(actual) == list(expected), where
        for key in actual:
            assert_equal(actual[key], expected[key], f"{where}.{key}")
    elif isinstance(actual, (list, tuple)):
        assert len(actual) == len(expected), where
        for index, pair in enumerate(zip(actual, expected)):
            assert_equal(*pair, f"{where}[{index}]")
    else:
        assert actual == expected, where


def load(path):
    """Load what torch saved, as weights only."""
    return torch.load(path, weights_only=True)


@contextlib.contextmanager
def stopped_in(epoch):
    """Interrupt what trains with callbacks or a teacher as this epoch begins."""
    from espnet_distill.training.espnet_trainer import CallbackTrainer

    train_one_epoch = CallbackTrainer.train_one_epoch.__func__

    def interrupted(cls, reporter, **others):
        if reporter.get_epoch() == epoch:
            raise KeyboardInterrupt
        return train_one_epoch(cls, reporter=reporter, **others)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(
            CallbackTrainer, "train_one_epoch", classmethod(interrupted)
        )
        yield


@pytest.fixture(scope="session")
def piper_voice(tmp_path_factory):
    """A tiny voice with Piper's structure, its `.onnx`."""
    from .students.piper_voice import make_piper

    return make_piper(tmp_path_factory.mktemp("piper") / "voice")


@pytest.fixture(scope="session")
def piper_experiment(piper_voice, tmp_path_factory):
    """The experiment that `import-piper` makes of it."""
    from espnet_distill import import_piper

    return import_piper(piper_voice, tmp_path_factory.mktemp("piper") / "exp")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """A wheel of the package."""
    from .wheel import build

    return build(tmp_path_factory.mktemp("wheel"))
