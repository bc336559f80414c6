"""VITS as a voice: the graph equals PyTorch, and Piper's runtime plays it."""

import numpy as np
import pytest
import torch
import yaml

from espnet_distill import Experiment, export
from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError
from espnet_distill.students.replace_decoder import replace_decoder
from espnet_distill.teachers.text_to_wave import synthesize
from espnet_distill.utils.checksums import checksum
from espnet_distill.vocoders.generators.registry import build_generator
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.voice.graph import Graph, graph_inputs, input_names
from espnet_distill.voice.voice import GRAPH, Voice

from ..conftest import HOP, RATE, make_experiment
from ..students.piper_voice import HIGH, make_piper
from ..teachers.text_to_wave_models import jets, vits

STILL = (0.0, 1.0, 0.0)
PHONEMES = ["<blank>", "<unk>", "<space>", *"abcdefgh", "<sos/eos>"]
PHONES = {"token_list": PHONEMES, "token_type": "phn"}
SPEAKERS = {"global_channels": 4, "spks": 3, "langs": 2}
DECODER = {
    "vocoder_type": "harmonic_istft_generator",
    "vocoder_params": {"channels": 8, "hidden_channels": 16, "layers": 1},
}


def make_vocoder(folder, teacher, channels, condition=0, rate=RATE, hop=HOP):
    """Write a vocoder of a model's latents with its initial weights."""
    folder.mkdir()
    spec = LatentSpec(rate, hop, channels, condition, checksum(teacher.checkpoint))
    torch.manual_seed(0)
    generator = build_generator(DECODER, spec)
    state = {f"tts.generator.{k}": v for k, v in generator.state_dict().items()}
    state |= {"normalize.mean": torch.full((channels,), 0.1)}
    state |= {"normalize.std": torch.full((channels,), 1.3)}
    torch.save(state, folder / "train.total_count.ave.pth")
    conf = {"tts": "vocoder", "tts_conf": DECODER | {"latents": spec.as_dict()}}
    (folder / "config.yaml").write_text(yaml.safe_dump(conf))
    return folder


@pytest.fixture(scope="module")
def experiments(piper_experiment, tmp_path_factory):
    root = tmp_path_factory.mktemp("voices")
    made = {
        "vits": Experiment(make_experiment(root / "vits", **vits(), **PHONES)),
        "several": Experiment(
            make_experiment(root / "several", **vits(**SPEAKERS), **PHONES)
        ),
        "piper": piper_experiment,
    }
    sizes = {"vits": (8,), "several": (8, 4), "piper": (8, 0, 8000, 64)}
    for name, size in sizes.items():
        vocoder = make_vocoder(root / f"{name}_vocoder", made[name], *size)
        replaced = replace_decoder(made[name], vocoder)
        made[f"{name}, replaced"] = replaced.save(root / f"{name}_replaced")
    return made


@pytest.fixture(scope="module")
def voices(experiments, tmp_path_factory):
    """Voices in fp32 by name, each exported once."""
    made = {}

    def voice(name):
        if name not in made:
            options = {"language_id": 1} if name.startswith("several") else {}
            out = tmp_path_factory.mktemp("exported") / "voice"
            exported = export(
                experiments[name], out, vocoder=None, weights="fp32", **options
            )
            made[name] = out, exported.settings
        return made[name]

    return voice


SLOW = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("several", "vits, replaced", "piper, replaced")
]


@pytest.mark.parametrize("name", ["vits", "piper", "several, replaced", *SLOW])
def test_the_graph_equals_pytorch(experiments, voices, name):
    experiment, (out, settings) = experiments[name], voices(name)
    several = name.startswith("several")
    assert settings["equality"]["wave"] <= 1e-4
    graph = Graph(out / GRAPH, input_names(several))
    tokens = [4, 6, 5, 8, 10]
    sent = [0, *(id for one in tokens for id in (0, one)), 0, 0]
    if name.startswith("piper"):
        sent = [1, 0, *(id for one in tokens for id in (one, 0)), 2]
    given = {"sid": 2, "lid": 1} if several else {}
    expected = synthesize(
        experiment.model, torch.tensor(tokens), 0.0, 0.0, **given
    ).waveform.numpy()
    wave, frames = graph.synthesize(graph_inputs(sent, STILL, 2))
    gain = settings["gain"]
    np.testing.assert_allclose(wave, np.clip(expected * gain, -1, 1), atol=2e-4)
    assert int(frames.sum()) * settings["hop_length"] == len(wave)
    assert frames.shape == (len(sent),)
    slow, _ = graph.synthesize(graph_inputs(sent, (0.0, 3.0, 0.0), 2))
    assert len(slow) > 2 * len(wave)
    noisy, _ = graph.synthesize(graph_inputs(sent, (0.7, 1.0, 0.0), 2))
    assert len(noisy) == len(wave) and not np.allclose(noisy, wave, atol=1e-3)


def test_pipers_runtime_plays_an_imported_voice(voices, piper_voice):
    """A voice in, a voice out, with the same client and the same phonemes."""
    from piper import PiperVoice, SynthesisConfig

    out, settings = voices("piper")
    still = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, normalize_audio=False)
    waves = []
    for path in (piper_voice, out / GRAPH):
        client = PiperVoice.load(path)
        chunks = client.synthesize("abc dad", still)
        waves.append(np.concatenate([one.audio_float_array for one in chunks]))
    assert waves[0].std() > 0.01
    expected = np.clip(settings["gain"] * waves[0], -1, 1)
    np.testing.assert_allclose(waves[1], expected, atol=1e-3)


def test_the_runtime_synthesizes_text(experiments, tmp_path):
    out = tmp_path / "voice"
    arguments = ["export", experiments["piper, replaced"].checkpoint, out]
    assert main([*map(str, arguments), "--weights", "int8", "--sample", "a b c"]) == 0
    voice = Voice(out)
    assert voice.config.scales["noise_scale"] == 0.5  # the imported voice's
    assert len(voice.synthesize("bad cab")) > 0
    assert (out / "samples/1.wav").is_file()


def test_ids_without_a_token_are_finite(voices):
    graph = Graph(voices("vits")[0] / GRAPH, input_names(False))
    wave, frames = graph.synthesize(graph_inputs([0, 0, 0], STILL))
    assert len(wave) > 0 and np.isfinite(wave).all()


@pytest.mark.parametrize(
    "options, line",
    [
        ({"vocoder": "x"}, "--vocoder: .* synthesizes waveforms without mels"),
        ({"vocoder": None, "streaming": True}, "--streaming: .*without mels"),
    ],
)
def test_options_of_mels_are_refused(experiments, tmp_path, options, line):
    with pytest.raises(ConfigError, match=line):
        export(experiments["vits"], tmp_path / "voice", **options)


def test_other_models_are_refused(tmp_path):
    folder = make_experiment(tmp_path / "jets", **jets(), **PHONES)
    with pytest.raises(ConfigError, match="JETS cannot be exported; of the models"):
        export(folder, tmp_path / "voice", vocoder=None)
    conf = vits(global_channels=4, spk_embed_dim=5)
    folder = make_experiment(tmp_path / "vits", **conf, **PHONES)
    with pytest.raises(ConfigError, match="a model of x-vectors takes an input"):
        export(folder, tmp_path / "voice", vocoder=None)


@pytest.mark.slow
def test_several_voices_keep_the_names_of_speakers(tmp_path):
    from espnet_distill import import_piper

    voice = make_piper(tmp_path / "high", **HIGH)
    experiment = import_piper(voice, tmp_path / "exp")
    made = export(experiment, tmp_path / "voice", vocoder=None)
    assert made.settings["speaker_id_map"] == {"s0": 0, "s1": 1, "s2": 2}
