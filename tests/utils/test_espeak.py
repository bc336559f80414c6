"""Phonemes are made where the system has no espeak-ng, or it is said what is missing."""

import os
from argparse import Namespace

import pytest
from espnet2.tasks.tts import TTSTask

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.text_frontend import front_end_of
from espnet_distill.profiling.text2speech import load
from espnet_distill.utils.espeak import DATA, LIBRARY

from ..conftest import make_experiment, run_python

pytest.importorskip("phonemizer")
PHONEMES = """
from phonemizer.backend import EspeakBackend
print(*EspeakBackend("en-us").phonemize(["teacher"]))
"""


def test_that_of_the_loader_is_found_in_every_program(tmp_path):
    pytest.importorskip("espeakng_loader")
    (tmp_path / "speak.py").write_text(PHONEMES)
    bare = {
        key: value for key, value in os.environ.items() if key not in (LIBRARY, DATA)
    }
    bare["PATH"] = str(tmp_path)
    done = run_python("-m", "espnet_distill", tmp_path / "speak.py", env=bare)
    assert done.stdout.split() == ["tiːtʃɚ"], done.stderr
    plain = run_python(tmp_path / "speak.py", env=bare)
    assert "espeak not installed" in plain.stderr


def test_a_front_end_that_cannot_be_built_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv(LIBRARY, str(tmp_path / "none.so"))
    names = Namespace(
        use_preprocessor=True, token_type="phn", token_list=["a"], bpemodel=None,
        non_linguistic_symbols=None, cleaner=None, g2p="espeak_ng_english_us_vits",
    )  # fmt: skip
    with pytest.raises(ConfigError) as caught, front_end_of("exp/teacher/config.yaml"):
        TTSTask.build_preprocess_fn(names, train=False)
    told = str(caught.value)
    assert told.startswith("exp/teacher/config.yaml: g2p: ") and "\n" not in told
    assert told.endswith("(an espeak-ng: pip install espeakng-loader)")


def test_a_model_whose_text_cannot_be_read_is_one_line(monkeypatch, tmp_path):
    reads = {"token_type": "phn", "g2p": "espeak_ng_english_us_vits"}
    folder = make_experiment(tmp_path / "exp", **reads)
    (checkpoint,) = folder.glob("*.pth")
    load(folder / "config.yaml", checkpoint)
    monkeypatch.setenv(LIBRARY, str(tmp_path / "none.so"))
    with pytest.raises(ConfigError) as caught:
        load(folder / "config.yaml", checkpoint)
    assert str(caught.value).startswith(f"{folder / 'config.yaml'}: g2p: ")
