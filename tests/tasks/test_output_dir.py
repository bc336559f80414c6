"""Two runs do not write one folder."""

import socket

import pytest

from espnet_distill.bin import finish_dump
from espnet_distill.errors import ConfigError
from espnet_distill.tasks import text2mel
from espnet_distill.tasks.mel2wav import DistillGANTTSTask
from espnet_distill.tasks.text2mel import DistillTTSTask
from espnet_distill.utils.locking import LOCK
from espnet_distill.vocoders.dump import WaveFiles

from ..conftest import files
from ..holding import held


@pytest.fixture
def busy(tmp_path):
    """A folder that another process writes, and what a second one is answered."""
    out = tmp_path / "exp"
    with held(out) as child:
        yield out, f"{out}: is being written by process {child.pid} on "


def distil(corpus, teacher, out):
    config = corpus.config(out.with_suffix(".yaml"), teacher=[str(teacher)])
    DistillTTSTask.main(cmd=corpus.training(config, out))


def train_vocoder(corpus, teacher, out):
    command = ["--tts", "vocoder", "--output_dir", str(out)]
    DistillGANTTSTask.main(cmd=command)


def finish(corpus, teacher, out):
    finish_dump.finish(out, ("mel_after",), corpus.root / "valid" / "text")


def finish_waves(corpus, teacher, out):
    WaveFiles(out).finish(["b1"])


@pytest.mark.parametrize("write", [distil, train_vocoder, finish, finish_waves])
def test_the_second_run_is_refused_in_a_line(corpus, teacher, busy, write):
    out, line = busy
    with pytest.raises(ConfigError) as caught:
        write(corpus, teacher, out)
    assert str(caught.value).startswith(f"{line}{socket.gethostname()}; ")
    assert "\n" not in str(caught.value) and files(out) == [LOCK]


def test_one_begun_at_the_same_moment_is_refused_before_anything_is_written(
    corpus, teacher, busy, monkeypatch
):
    """By the lock itself, when the look before came too early."""
    monkeypatch.setattr(text2mel, "require_unlocked", lambda folder: None)
    out, line = busy
    with pytest.raises(ConfigError) as caught:
        distil(corpus, teacher, out)
    assert str(caught.value).startswith(line) and files(out) == [LOCK]


@pytest.mark.parametrize("distils", [True, False], ids=["distilled", "stock"])
def test_only_a_run_that_is_not_the_stock_run_locks(corpus, teacher, distils, tmp_path):
    found, build = [], DistillTTSTask.build_optimizers.__func__

    class Task(DistillTTSTask):
        @classmethod
        def build_optimizers(cls, args, model):
            found.append((tmp_path / "exp" / LOCK).exists())
            return build(cls, args, model)

    given = {"teacher": [str(teacher)]} if distils else {}
    config = corpus.config(tmp_path / "train.yaml", max_epoch=1, **given)
    Task.main(cmd=corpus.training(config, tmp_path / "exp"))
    assert found == [distils] and not (tmp_path / "exp" / LOCK).exists()
