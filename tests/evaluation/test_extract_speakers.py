"""Speaker embeddings in the files that ESPnet's extractors write."""

import numpy as np
import pytest
import soundfile
from omniio.kaldi import load_scp

from espnet_distill.__main__ import _is_extraction_by_plugin
from espnet_distill.bin import extract_speakers

from .conftest import RATE, speechlike

pytest.importorskip("resemblyzer")


def test_the_plugin_extracts_with_its_toolkit_only():
    script = "pyscripts/utils/extract_spk_embed_parallel.py"
    assert _is_extraction_by_plugin([script, "--toolkit", "resemblyzer", "in", "out"])
    assert not _is_extraction_by_plugin([script, "--toolkit", "espnet", "in", "out"])
    other = "pyscripts/utils/other.py"
    assert not _is_extraction_by_plugin([other, "--toolkit", "resemblyzer"])


def test_utterances_and_the_speakers_means(tmp_path):
    speakers = {"a": "ann", "b": "bob", "c": "ann"}
    waves = {}
    for seed, utterance in enumerate(speakers):
        waves[utterance] = tmp_path / f"{utterance}.wav"
        soundfile.write(waves[utterance], speechlike(seed, 2), RATE)
    for name, table in {"wav.scp": waves, "utt2spk": speakers}.items():
        lines = (f"{key} {value}\n" for key, value in table.items())
        (tmp_path / name).write_text("".join(lines))
    out = tmp_path / "dump/xvector/train"
    options = "--toolkit resemblyzer --spk_embed_tag xvector --device cpu".split()
    extract_speakers.main([*options, str(tmp_path), str(out)])
    single = load_scp(str(out / "xvector.scp"))
    means = load_scp(str(out / "spk_xvector.scp"))
    assert list(single) == ["a", "b", "c"] and list(means) == ["ann", "bob"]
    assert single["a"].shape == (256,) and np.isfinite(single["a"]).all()
    expected = (np.array(single["a"]) + single["c"]) / 2
    np.testing.assert_allclose(means["ann"], expected, rtol=1e-5)
    assert not np.allclose(single["a"], single["b"])
    assert not list(out.glob("*.tmp"))
