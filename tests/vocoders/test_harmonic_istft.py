"""Pulse and noise excitation and their filters."""

import math

import pytest
import torch

from espnet_distill.objectives.base import Taps
from espnet_distill.objectives.registry import build_objective
from espnet_distill.vocoders.generators.harmonic_istft import HarmonicISTFTGenerator
from espnet_distill.vocoders.generators.pulses import PulseTrain
from espnet_distill.vocoders.generators.spectra import FrameMajorISTFT

RATE, HOP = 16000, 64


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return HarmonicISTFTGenerator(
        20, HOP, RATE, channels=8, hidden_channels=16, layers=1
    )


@pytest.mark.parametrize(
    "f0",
    [torch.full((60,), 95.0), torch.full((60,), 410.0), torch.linspace(120, 240, 60)],
)
def test_pulses_are_all_harmonics_below_half_the_rate(f0):
    train = PulseTrain(RATE, HOP)
    cycles = train.cycles(f0[None])
    pulses = train(f0[None], cycles[:, :-1])[0]
    later = torch.cat((f0[1:], f0[-1:])).double().unsqueeze(1)
    way = (torch.arange(HOP) + 0.5) / HOP  # F0 halfway to each next sample
    between = (f0.double().unsqueeze(1) * (1 - way) + later * way).flatten()
    passed = torch.nn.functional.pad(between.cumsum(0) / RATE, (1, 0))
    assert float(cycles[0, -1]) == pytest.approx(float(passed[-1]), rel=1e-6)
    count = (
        (RATE / 2 / torch.maximum(f0, later.flatten())).floor().repeat_interleave(HOP)
    )
    harmonics = torch.arange(1, int(count.max()) + 1).unsqueeze(1)
    cosines = torch.cos(2 * math.pi * harmonics * passed[:-1])
    summed = torch.where(harmonics <= count, cosines, 0).sum(0)
    expected = summed * (2 / count) ** 0.5
    torch.testing.assert_close(pulses, expected.float(), atol=5e-3, rtol=0)
    assert pulses.square().mean() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("hop", [HOP, 75])
def test_spectra_are_of_the_waveform_that_is_made_of_them(hop):
    istft = FrameMajorISTFT(4 * hop, hop)
    wave = torch.randn(2, 150 * hop)  # more than two blocks
    spectra = istft.spectra(istft.framed(wave))
    again = istft(lambda at: spectra[:, at], *spectra.shape[:2])
    torch.testing.assert_close(again, wave, atol=1e-5, rtol=1e-4)


def test_the_pitch_of_the_output_is_the_input_f0(generator):
    with torch.no_grad():
        generator.filters.bias[generator.bins :] = -20  # no noise
        outputs = generator.training_forward(
            torch.zeros(1, 20, 80), torch.full((1, 80), 250.0)
        )
    spectrum = torch.fft.rfft(outputs["waveform"][0, 20 * HOP : 60 * HOP]).abs()
    peaks = spectrum.topk(8).indices * RATE / (40 * HOP)
    assert ((peaks / 250 - (peaks / 250).round()).abs() < 0.05).all()
    above = spectrum[int(2100 / RATE * 40 * HOP) :]
    assert (
        above.max() < 1e-3 * spectrum.max()
    )  # pulses are made at a quarter of the rate


@pytest.mark.parametrize("f0", [95.0, 210.0])
def test_pulses_are_below_half_their_rate_what_they_are_at_the_full_one(generator, f0):
    def spectra(train, stft):
        f0_input = torch.full((1, 40), f0)
        pulses = train(f0_input, train.cycles(f0_input)[:, :-1])
        return stft.spectra(stft.framed(pulses))[0, 8:32] * (train.fs // 2 // f0) ** 0.5

    full = PulseTrain(RATE, HOP)
    reference = spectra(full, generator.istft)
    downsampled = (
        spectra(generator.pulses, generator.pulse_stft) * full.fs / generator.pulses.fs
    )
    below = generator.bins - 6
    torch.testing.assert_close(
        downsampled[:, :below], reference[:, :below], atol=0.2, rtol=1e-3
    )
    assert reference[:, :below].abs().max() > 30


@pytest.mark.parametrize(
    "fs, n_fft, hop_length, highest",
    [(22050, 1024, 256, 2756.25), (24000, 1200, 300, 2000), (44100, 1764, 441, 2450)],
)
def test_pulses_reach_two_kilohertz_at_least(fs, n_fft, hop_length, highest):
    made = HarmonicISTFTGenerator(8, hop_length, fs, 8, 8, 1, n_fft)
    assert made.pulses.fs / 2 == highest
    assert made(torch.zeros(1, 8, 5)).shape == (1, 1, 5 * hop_length)
    whole = HarmonicISTFTGenerator(8, hop_length, fs, 8, 8, 1, n_fft, 1)
    assert whole.bins == n_fft // 2 + 1


@pytest.mark.parametrize("by", [5, 0, -4])
def test_a_rate_of_pulses_that_the_hop_does_not_have_is_refused(by):
    with pytest.raises(ValueError, match=f"pulse_downsampling {by} does not divide"):
        HarmonicISTFTGenerator(8, HOP, RATE, pulse_downsampling=by)


def test_both_noises_have_the_same_power():
    made = {
        kind: HarmonicISTFTGenerator(8, HOP, RATE, 8, 8, 1, noise=kind)
        for kind in ("gaussian", "phases")
    }
    spectra = {kind: torch.view_as_complex(one.noise) for kind, one in made.items()}
    gaussian, phases = (spectra[kind].abs().square() for kind in made)
    assert float(phases.mean() / gaussian.mean()) == pytest.approx(1, rel=0.02)
    assert phases.std() < 1e-3 < gaussian.std()
    products = spectra["phases"][1:] * spectra["phases"][:-1].conj()
    assert products.mean().abs() < 0.02 * phases.mean()


def test_an_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="noise 'pink' is none of gaussian, phases"):
        HarmonicISTFTGenerator(8, HOP, RATE, noise="pink")


def test_a_component_of_free_phase_is_a_part_of_the_waveform():
    torch.manual_seed(0)
    made = HarmonicISTFTGenerator(20, HOP, RATE, 8, 16, 1, free_phase=True)
    torch.nn.init.normal_(made.free.weight, std=1.0)
    torch.nn.init.constant_(made.filters.bias, -20)  # no pulses and no noise
    c = torch.randn(2, 20, 80)
    taps = made.training_forward(c, torch.full((2, 80), 250.0))
    assert taps["waveform"].std() > 0.01
    torch.testing.assert_close(taps["free_phase"], taps["waveform"], atol=1e-5, rtol=0)
    torch.testing.assert_close(made(c)[:, 0], taps["waveform"], atol=1e-5, rtol=0)
    pieces = torch.cat(list(made.stream(c[:1], 30)), -1)
    torch.testing.assert_close(pieces, made(c[:1]), atol=1e-6, rtol=0)
    loss = build_objective({"type": "free_phase", "sizes": [64]})
    loss(Taps(taps), Taps({"free_phase": torch.randn(2, 80 * HOP)})).backward()
    assert made.free.weight.grad.abs().sum() > 0
    assert made.filters.weight.grad is None
    assert loss(Taps(taps), Taps(taps)).item() == 0


def test_noise_is_random_in_training_and_constant_in_synthesis(generator):
    c, f0 = torch.zeros(1, 20, 30), torch.full((1, 30), 200.0)
    torch.manual_seed(0)
    one, other = (generator.training_forward(c, f0)["waveform"] for _ in range(2))
    assert (one - other).abs().max() > 0.01
    torch.testing.assert_close(generator(c), generator(c), rtol=0, atol=0)


def test_a_waveform_loss_trains_the_filters_and_f0_the_pitch(generator):
    c, f0 = torch.randn(2, 20, 16), torch.full((2, 16), 180.0)
    f0[:, 8:] = 0
    outputs = Taps(generator.training_forward(c, f0))
    outputs["waveform"].square().sum().backward(retain_graph=True)
    assert generator.log_f0.weight.grad is None
    assert generator.filters.weight.grad.abs().sum() > 0
    generator.zero_grad()
    build_objective({"type": "f0"})(outputs, Taps({"f0": f0})).backward()
    assert generator.filters.weight.grad is None
    assert generator.log_f0.weight.grad.abs().sum() > 0
    assert generator.backbone.embed.weight.grad.abs().sum() > 0


def test_f0_counts_only_where_there_is_one():
    objective = build_objective({"type": "f0", "weight": 2.0})
    outputs = Taps({"log_f0": torch.tensor([[math.log(200.0), 0.0, math.log(100.0)]])})
    reference = Taps({"f0": torch.tensor([[100.0, 0.0, 100.0]])})
    assert objective(outputs, reference).item() == pytest.approx(math.log(2) / 2)
    assert objective(outputs, Taps({"f0": torch.zeros(1, 3)})).item() == 0


def test_frames_depend_no_further_than_the_look_ahead_but_by_the_phase(generator):
    for value in generator.parameters():
        torch.nn.init.normal_(value, std=0.2)
    torch.nn.init.zeros_(generator.log_f0.weight)  # so that the phase goes on as it was
    torch.nn.init.constant_(generator.log_f0.bias, 5.0)
    c = torch.randn(1, 20, 60)
    other = c.clone()
    other[..., 30] += 1
    with torch.no_grad():
        moved = (generator(other) - generator(c)).view(60, HOP).abs().amax(1) > 0
    reached = moved.nonzero().view(-1)
    ahead = generator.look_ahead
    assert ahead - 1 <= 30 - int(reached[0]) <= ahead
    assert ahead - 1 <= int(reached[-1]) - 30 <= ahead
