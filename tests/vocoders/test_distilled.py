"""A distilled vocoder: whole, in pieces, and what does not fit it."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import yaml
from espnet2.layers.global_mvn import GlobalMVN

from espnet_distill.cli.main import main
from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError
from espnet_distill.vocoders import build_vocoder, check_vocoder
from espnet_distill.vocoders.checkpoint_formats import find_checkpoint
from espnet_distill.vocoders.generators.base import Generator
from espnet_distill.vocoders.generators.registry import build_generator
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.vocoders.training.gan import VocoderGAN
from espnet_distill.vocoders.training.model import DistillVocoderModel

from ..conftest import write_stats
from .test_generators import SMALL, conf

FEATURES = {"fs": 16000, "n_fft": 512, "hop_length": 256, "n_mels": 20}
NARROW = {
    "periods": [2],
    "discriminator_params": {
        "channels": 2,
        "max_downsample_channels": 4,
        "kernel_sizes": [5, 3],
    },
}


LATENTS = LatentSpec(16000, 256, 20, 0, "0" * 64)


def save(folder, kind, features=FEATURES, latents=None):
    """Write a vocoder, of mels or latents, as its training does.

    Returns the file and the model.
    """
    torch.manual_seed(0)
    stats = write_stats(
        folder / "stats.npz", torch.arange(20.0) - 8, torch.full((20,), 2)
    )
    mels = MelSpec.of_conf(features)
    generator = build_generator(conf(kind), latents or mels)
    # HiFi-GAN's default initialization yields near-zero output
    for value in generator.parameters():
        torch.nn.init.normal_(value, std=0.2)
    if kind == "harmonic_istft_generator":
        torch.nn.init.constant_(generator.log_f0.bias, 5.0)
    tts = VocoderGAN(generator, mels, [], discriminator_params=NARROW)
    model = DistillVocoderModel(GlobalMVN(stats), tts)
    config = {
        "tts": "vocoder",
        "tts_conf": conf(kind),
        "feats_extract_conf": features,
    }
    if latents:
        config |= {"tts_conf": conf(kind) | {"latents": latents.as_dict()}}
        config |= {"feats_extract_conf": {}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    path = folder / "train.total_count.ave.pth"
    torch.save(model.state_dict(), path)
    return path, model.eval()


@pytest.fixture(params=SMALL)
def saved(request, tmp_path):
    return save(tmp_path, request.param)


@pytest.fixture
def feats():
    return 2 * torch.randn(150, 20, generator=torch.Generator().manual_seed(1)) + 1


def test_the_waveform_equals_that_of_the_training_model(saved, feats):
    path, model = saved
    vocoder = build_vocoder(path)
    normalised, _ = model.normalize(feats[None].clone())
    with torch.no_grad():
        expected = model.tts.generator(normalised.transpose(1, 2)).view(-1)
    waveform = vocoder(feats)
    assert vocoder.fs == 16000 and waveform.shape == (150 * 256,)
    assert waveform.std() > 1e-3
    torch.testing.assert_close(waveform, expected.clamp(-1, 1), atol=1e-5, rtol=1e-4)


def test_a_folder_names_its_checkpoint(saved):
    path, _ = saved
    for vocoder in (path, path.parent):
        assert find_checkpoint(str(vocoder), "--vocoder") == str(path)
    with pytest.raises(ConfigError, match=f"--vocoder: {path}.no is no file"):
        find_checkpoint(f"{path}.no", "--vocoder")
    assert find_checkpoint(None, "--vocoder") is None


def test_pieces_are_what_they_are_in_the_whole(saved, feats):
    vocoder = build_vocoder(saved[0])
    whole = vocoder(feats)
    for chunk in (vocoder.look_ahead, vocoder.look_ahead + 7, 1000):
        pieces = list(vocoder.stream(feats, chunk))
        assert len(pieces) == -(-150 // chunk)
        assert (torch.cat(pieces) - whole).abs().max() < 1e-5


@pytest.mark.parametrize("kind", sorted(SMALL.keys() - {"harmonic_istft_generator"}))
def test_a_frame_reaches_no_further_than_the_look_ahead(kind, feats, tmp_path):
    vocoder = build_vocoder(save(tmp_path, kind)[0])
    other = feats.clone()
    other[75] += 1
    moved = (vocoder(other) - vocoder(feats)).view(150, 256).abs().amax(1) > 0
    reached = moved.nonzero().view(-1)
    assert 75 - reached[0] <= vocoder.look_ahead
    assert reached[-1] - 75 <= vocoder.look_ahead
    assert vocoder.look_ahead < 2 * max(75 - reached[0], reached[-1] - 75)


def test_a_chunk_below_the_look_ahead_is_refused(saved, feats):
    vocoder = build_vocoder(saved[0])
    least = vocoder.look_ahead
    with pytest.raises(
        ConfigError, match=f"{least - 1} frames are fewer than the {least}"
    ):
        next(vocoder.stream(feats, least - 1))


def test_other_mels_are_refused_with_both_values(saved):
    path, _ = saved
    check_vocoder(path, FEATURES)
    others = FEATURES | {"fs": 22050, "fmax": 7000}
    with pytest.raises(ConfigError) as caught:
        check_vocoder(path, others)
    assert "sampling rate 16000, but the model's mels have 22050" in str(caught.value)
    assert "highest mel frequency 7600, but the model's mels have 7000" in str(
        caught.value
    )


def serving(mean):
    """A text-to-mel model whose mels have this mean."""
    return SimpleNamespace(
        feats_extract=MelSpec.of_conf(FEATURES).extractor(),
        normalize=SimpleNamespace(mean=mean),
    )


def test_mels_with_other_statistics_are_reported_or_refused(saved, caplog):
    path, model = saved
    own = model.normalize.mean
    build_vocoder(path, model=serving(own))
    assert "other statistics" not in caplog.text
    build_vocoder(path, model=serving(own + 1))
    assert "0.50 standard deviations off" in caplog.text
    with pytest.raises(ConfigError, match="1.50 standard deviations off"):
        build_vocoder(path, model=serving(own - 3))


def predicting(channels):
    """A model that predicts features of its data."""
    return SimpleNamespace(feats_extract=None, tts=SimpleNamespace(odim=channels))


def test_a_vocoder_gets_what_it_was_trained_on(tmp_path, feats, caplog):
    """Latents or mels; a model that predicts others is refused."""
    for name, latents in {"mel": None, "latent": LATENTS}.items():
        (tmp_path / name).mkdir()
        save(tmp_path / name, "istft_generator", latents=latents)
    file = "train.total_count.ave.pth"
    mel, latent = tmp_path / "mel" / file, tmp_path / "latent" / file
    vocoder = build_vocoder(latent, model=predicting(20))
    assert vocoder(feats).shape == (150 * 256,) and not caplog.text
    with pytest.raises(ConfigError, match="takes the latents of a model, not mels"):
        build_vocoder(latent, model=serving(vocoder.mean))
    for path, kind in {latent: "latents", mel: "mels"}.items():
        line = f"{path}: takes 20 {kind} a frame, but the model predicts 192 features"
        with pytest.raises(ConfigError, match=line):
            build_vocoder(path, model=predicting(192))
    save(tmp_path, "istft_generator", latents=replace(LATENTS, condition_channels=4))
    with pytest.raises(ConfigError, match="takes the global conditioning"):
        build_vocoder(tmp_path / file)


def spoil(path, change):
    state = copy.copy(torch.load(path, weights_only=True))
    change(state)
    torch.save(state, path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda state: state.pop("normalize.mean"), "no normalize.mean and std"),
        (lambda state: state.pop(first(state)), "Missing key"),
        (lambda state: state.update(more=torch.zeros(1)), "Unexpected key"),
        (lambda state: state.update({first(state): torch.zeros(1)}), "size mismatch"),
    ],
)
def test_weights_that_do_not_fit_are_refused(saved, change, message):
    path, _ = saved
    spoil(path, change)
    with pytest.raises(ConfigError, match=message) as caught:
        build_vocoder(path)
    assert str(path) in str(caught.value) and len(caught.value.faults) == 1


def first(state):
    return next(key for key in state if key.startswith("tts.generator."))


@pytest.mark.parametrize("half", [False, True])
def test_it_is_taken_out_of_its_training(saved, feats, half, tmp_path):
    path, _ = saved
    out = tmp_path / "vocoder"
    assert (
        main(["extract-vocoder", str(path.parent), str(out), *["--half"] * half]) == 0
    )
    state = torch.load(out / "model.pth", weights_only=True)
    assert all(key.startswith(("tts.generator.", "normalize.")) for key in state)
    extracted, original = build_vocoder(out / "model.pth"), build_vocoder(path)
    moved = (extracted(feats) - original(feats)).abs().max()
    assert half == (moved > 0)
    if not extracted.generator.predicts_f0:  # phase errors accumulate
        assert moved <= (1e-2 if half else 0)
    for value, whole in zip(extracted.parameters(), original.parameters(), strict=True):
        assert (value - whole).abs().max() <= (5e-3 if half else 0)


def test_a_text_to_mel_model_is_no_vocoder(teacher, tmp_path, capsys):
    assert main(["extract-vocoder", str(teacher), str(tmp_path / "out")]) == 2
    assert "is no vocoder's (tts: fastspeech2)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


class FixedWaveform(Generator, torch.nn.Module):
    """A generator that returns a given waveform (B, T)."""

    def __init__(self, wave):
        super().__init__()
        self.wave = torch.nn.Parameter(wave)

    def forward(self, c):
        return self.wave.unsqueeze(1)


def test_the_discriminator_input_is_normalized_in_loudness():
    torch.manual_seed(0)
    mels = MelSpec.of_conf(FEATURES)
    wave, real = torch.randn(2, 2, 16 * 256)
    losses = []
    for loudness in (1.0, 0.05):
        torch.manual_seed(1)
        tts = VocoderGAN(
            FixedWaveform(loudness * wave),
            mels,
            [],
            discriminator_params=NARROW,
            segment_size=16,
            discriminator_size=8,
            adversarial_start=0,
        )
        recording = loudness * real
        loss, _ = tts(
            torch.zeros(2, 16, 20), recording, recording, forward_generator=False
        )
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


STFTS = {"filters": 4, "n_ffts": [256], "hop_lengths": [64], "win_lengths": [256]}


@pytest.mark.parametrize(
    "kind, params",
    [("hifigan_multi_period_discriminator", NARROW), ("msstft_discriminator", STFTS)],
)
def test_a_discriminator_separates_and_passes_gradients(kind, params):
    """Two noises: the other's neighbouring samples are alike."""
    torch.manual_seed(0)
    noise, other = torch.randn(2, 4, 16 * 256 + 1)
    tts = VocoderGAN(
        FixedWaveform(noise[:, 1:]), MelSpec.of_conf(FEATURES), [], segment_size=16,
        discriminator_type=kind, discriminator_params=params, discriminator_size=8,
        adversarial_start=0, lambda_mel=0.0, lambda_feat_match=0.0,
    )  # fmt: skip
    batch = torch.zeros(4, 16, 20), noise[:, 1:], other[:, 1:] + other[:, :-1]
    optimizer = torch.optim.Adam(tts.discriminator.parameters(), 0.01)
    losses = []
    for _ in range(40):
        loss, _ = tts(*batch, forward_generator=False)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
    loss, _ = tts(*batch, forward_generator=True)
    loss.backward()
    assert tts.generator.wave.grad.abs().sum() > 0
