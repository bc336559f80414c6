"""Parameters and sizes."""

import pytest
import torch

from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_to_wave import TRAINING_ONLY
from espnet_distill.profiling.macs import parameters, size_mb
from espnet_distill.teachers.text_to_wave import synthesize

from ..teachers.text_to_wave_models import jets, make_slow, vits


def attention_block(adim, units):
    attention = 4 * (adim * adim + adim)
    feed_forward = adim * units + units + units * adim + adim  # kernel 1
    return attention + feed_forward + 2 * 2 * adim  # two layer norms


def test_parameters_are_those_of_the_stock_model(systems):
    for system in systems.values():
        expected = sum(p.numel() for p in system.model.tts.parameters())
        assert parameters(system.tts) == expected


def test_parameters_of_an_encoder_can_be_counted_by_hand(systems):
    encoder = systems["student"].tts.encoder
    tokens = len(systems["student"].train_args.token_list)
    position_scale, final_norm = 1, 2 * 8
    assert parameters(encoder) == (
        tokens * 8 + position_scale + attention_block(8, 16) + final_norm
    )


@pytest.mark.parametrize("kind", [vits, jets])
def test_synthesis_does_not_run_what_is_not_counted(kind, tmp_path):
    model = Experiment(make_slow(tmp_path / "exp", **kind())).model.eval()
    ids = torch.arange(3, 9)
    expected = synthesize(model, ids, noise_scale=0.0).waveform
    counted = parameters(model.tts)
    for name, parameter in model.tts.named_parameters():
        if name.startswith(TRAINING_ONLY):
            counted += parameter.numel()
            parameter.data.fill_(torch.nan)
    assert counted == sum(p.numel() for p in model.tts.parameters())
    assert torch.equal(synthesize(model, ids, noise_scale=0.0).waveform, expected)


def test_a_megabyte_is_a_million_bytes(tmp_path):
    (tmp_path / "model.pth").write_bytes(bytes(2_500_000))
    assert size_mb(tmp_path / "model.pth") == 2.5
