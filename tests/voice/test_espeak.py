"""espeak-ng of espeakng-loader, and errors where there is none."""

import os
from argparse import Namespace

import pytest
from espnet2.tasks.tts import TTSTask

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_frontend import front_end_of
from espnet_distill.profiling.text2speech import load
from espnet_distill.voice.espeak import DATA, LIBRARY

from ..conftest import make_experiment, run_python

pytest.importorskip("phonemizer")
PHONEMES = """
from phonemizer.backend import EspeakBackend
print(*EspeakBackend("en-us").phonemize(["teacher"]))
"""


def test_espeakng_loader_is_used_in_every_program(tmp_path):
    pytest.importorskip("espeakng_loader")
    (tmp_path / "phonemize_text.py").write_text(PHONEMES)
    bare = {
        key: value for key, value in os.environ.items() if key not in (LIBRARY, DATA)
    }
    bare["PATH"] = str(tmp_path)
    done = run_python("-m", "espnet_distill", tmp_path / "phonemize_text.py", env=bare)
    assert done.stdout.split() == ["tiːtʃɚ"], done.stderr
    plain = run_python(tmp_path / "phonemize_text.py", env=bare)
    assert "espeak not installed" in plain.stderr


def test_missing_g2p_package_is_refused_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv(LIBRARY, str(tmp_path / "none.so"))
    names = Namespace(
        use_preprocessor=True, token_type="phn", token_list=["a"], bpemodel=None,
        non_linguistic_symbols=None, cleaner=None, g2p="espeak_ng_english_us_vits",
    )  # fmt: skip
    with pytest.raises(ConfigError) as caught, front_end_of("exp/teacher/config.yaml"):
        TTSTask.build_preprocess_fn(names, train=False)
    message = str(caught.value)
    assert message.startswith("exp/teacher/config.yaml: g2p: ") and "\n" not in message
    assert message.endswith("(an espeak-ng: pip install espeakng-loader)")


def test_loading_without_espeak_is_refused_in_one_line(monkeypatch, tmp_path):
    reads = {"token_type": "phn", "g2p": "espeak_ng_english_us_vits"}
    folder = make_experiment(tmp_path / "exp", **reads)
    load(Experiment(folder))
    monkeypatch.setenv(LIBRARY, str(tmp_path / "none.so"))
    with pytest.raises(ConfigError) as caught:
        load(Experiment(folder))
    assert str(caught.value).startswith(f"{folder / 'config.yaml'}: g2p: ")
