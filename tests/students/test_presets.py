"""Presets: they build, their sizes match their names, and stock ones are stock."""

from pathlib import Path

import pytest
import torch
import yaml

from espnet_distill.profiling.macs import parameters

PRESETS = sorted((Path(__file__).parents[2] / "conf/students").glob("*.yaml"))
MILLIONS = {"nano": (0.19, 0.26), "tiny": (0.39, 0.46), "small": (0.85, 1.0)}
MILLIONS["base"] = (1.5, 37.1 / 20)  # a twentieth of ESPnet's LJSpeech FastSpeech2


def build(path, choices):
    conf = yaml.safe_load(path.read_text())
    with torch.device("meta"):
        return choices[conf["tts"]](idim=75, odim=80, **conf["tts_conf"])


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_parameters_match_the_name(path):
    from espnet2.tasks.tts import tts_choices

    from espnet_distill.plugin import register_students

    register_students()
    low, high = MILLIONS[path.stem.rpartition("_")[2]]
    assert low < parameters(build(path, tts_choices.classes)) / 1e6 < high


def test_every_kind_has_four():
    kinds = {}
    for path in PRESETS:
        kind, _, size = path.stem.rpartition("_")
        kinds.setdefault(kind, set()).add(size)
    assert len(kinds) == 8 and all(sizes == set(MILLIONS) for sizes in kinds.values())


@pytest.mark.parametrize("size", MILLIONS)
@pytest.mark.parametrize("tts", ["fastspeech2", "tacotron2", "transformer"])
def test_narrow_configurations_are_of_stock_classes(tts, size):
    from espnet2.tasks.tts import tts_choices

    path = next(path for path in PRESETS if path.stem == f"{tts}_{size}")
    kind = type(build(path, tts_choices.classes))
    assert kind.__module__.startswith(f"espnet2.tts.{tts}.")
