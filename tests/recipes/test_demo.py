"""The shipped vocoder and teacher of the demo are compatible."""

import logging

import torch

from espnet_distill.experiments.archive import unpack
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.vocoders import build_vocoder

from .mini_an4 import ROOT

PRETRAINED = ROOT / "egs/hibari/tts1/pretrained"


def test_demo_vocoder_fits_the_teacher(tmp_path, caplog):
    model = Experiment(unpack(PRETRAINED / "teacher.zip", tmp_path / "t")).model
    vocoder = build_vocoder(PRETRAINED / "vocoder/model.pth", model=model.eval())
    warnings = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert not warnings, "mels of other statistics"
    text = torch.randint(5, 30, (12,))
    mels = model.inference(text, use_teacher_forcing=False)["feat_gen_denorm"]
    wave = vocoder(mels)
    assert wave.shape == (len(mels) * vocoder.inputs.hop_length,)
    assert 0.01 < wave.std() < 0.5
    assert sum(path.stat().st_size for path in (PRETRAINED / "vocoder").iterdir()) < 5e6
