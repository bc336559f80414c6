"""Text-to-waveform models as voices: graphs equal PyTorch, and clients play them."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet_distill import Experiment, export
from espnet_distill.cli.main import main
from espnet_distill.data.front_end import FrontEnd
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.text_to_wave import parameters
from espnet_distill.onnx_export.equality import require_equal
from espnet_distill.onnx_export.front_end import choose_front_end
from espnet_distill.onnx_export.graph import trace_voice
from espnet_distill.onnx_export.phoneme_ids import padded, phoneme_ids
from espnet_distill.onnx_export.text_to_wave.build import synthesize_references
from espnet_distill.onnx_export.text_to_wave.registry import build_graph
from espnet_distill.students.replace_decoder import replace_decoder
from espnet_distill.teachers.text_to_wave import decoder_of, synthesize
from espnet_distill.utils.checksums import checksum
from espnet_distill.vocoders.generators.registry import build_generator
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.voice.graph import Graph, graph_inputs, input_names
from espnet_distill.voice.voice import GRAPH, Voice

from ..conftest import FASTSPEECH2, HOP, RATE, TACOTRON2, make_experiment
from ..conftest import TOKENS as LETTERS
from ..students.piper_voice import HIGH, make_piper
from ..students.test_one_speaker import vector_of, write_embeddings
from ..teachers.text_to_wave_models import (
    build,
    configurations,
    jets,
    joint,
    make_slow,
    vits,
)
from .clients import SHERPA, without_torch

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


def make_loud(folder, **config):
    """Write an experiment of random weights whose waveforms are not near zero."""
    path = make_slow(folder, **config, **PHONES) / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    for name, tensor in state.items():
        if name.endswith("output_conv.1.weight_g"):
            tensor *= 100
    torch.save(state, path)
    return Experiment(folder)


@pytest.fixture(scope="module")
def experiments(piper_experiment, tmp_path_factory):
    root = tmp_path_factory.mktemp("voices")
    made = {
        "vits": make_loud(root / "vits", **vits()),
        "several": make_loud(root / "several", **vits(**SPEAKERS)),
        "piper": piper_experiment,
        "jets": make_loud(root / "jets", **jets()),
        "several jets": make_loud(root / "several_jets", **jets(spks=3, langs=2)),
        "joint": make_loud(root / "joint", **joint()),
        "joint, bands": make_loud(root / "bands", **joint(bands=4)),
    }
    sizes = {"vits": (8,), "several": (8, 4), "piper": (8, 0, 8000, 64), "jets": (8,)}
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
            options = {"language_id": 1} if "several" in name else {}
            options |= {"espeak_voice": "en-us"} if "jets" in name else {}
            out = tmp_path_factory.mktemp("exported") / "voice"
            exported = export(
                experiments[name], out, vocoder=None, weights="fp32", **options
            )
            made[name] = out, exported.settings
        return made[name]

    return voice


SLOW = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("several", "vits, replaced", "piper, replaced", "joint, bands")
]
FAST = ["vits", "piper", "several, replaced", "jets, replaced", "several jets", "joint"]


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_the_graph_equals_pytorch(experiments, voices, name):
    experiment, (out, settings) = experiments[name], voices(name)
    several = "several" in name
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
    assert expected.std() > 0.01
    np.testing.assert_allclose(wave, np.clip(expected * gain, -1, 1), atol=2e-4)
    assert int(frames.sum()) * settings["hop_length"] == len(wave)
    assert frames.shape == (len(sent),)
    slow, _ = graph.synthesize(graph_inputs(sent, (0.0, 3.0, 0.0), 2))
    assert len(slow) > 2 * len(wave)
    noisy, _ = graph.synthesize(graph_inputs(sent, (0.7, 1.0, 0.0), 2))
    has_noise = "jets" not in name and "joint" not in name
    assert len(noisy) == len(wave)
    assert np.allclose(noisy, wave, atol=1e-3) != has_noise


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


PIPER = """
import sys
import json

import numpy as np
from piper import PiperVoice, SynthesisConfig
voice = PiperVoice.load(sys.argv[1] + "/voice.onnx")
plain = SynthesisConfig(normalize_audio=False, speaker_id=int(sys.argv[4]))
ids = voice.phonemes_to_ids(list(sys.argv[3]))
np.save(sys.argv[2], voice.phoneme_ids_to_audio(ids, plain))
"""


def test_clients_play_a_jets_of_several_speakers(experiments, voices, tmp_path):
    """Piper and sherpa-onnx, unmodified, given phonemes and a speaker."""
    phonemes, speaker = "abc dad", 2
    (out, settings), model = voices("several jets"), experiments["several jets"].model
    tokens = [PHONEMES.index({" ": "<space>"}.get(one, one)) for one in phonemes]
    made = synthesize(model, torch.tensor(tokens), sid=speaker, lid=1)
    expected = np.clip(settings["gain"] * made.waveform.numpy(), -1, 1)
    assert expected.std() > 0.01
    for program, arguments in (
        (PIPER, (phonemes, speaker)),
        (SHERPA, ("2.", phonemes, "", speaker)),
    ):
        path = tmp_path / "wave.npy"
        without_torch(program, out, path, *map(str, arguments))
        wave = np.load(path).reshape(-1)
        assert wave.shape == expected.shape
        np.testing.assert_allclose(wave, expected, atol=2e-4)


def copy_imported(experiment, folder, **settings):
    """Copy an imported voice; its letters a to d are the phonemes of `bee`."""
    shutil.copytree(experiment.config_file.parent, folder)
    names = dict(zip("abcd", "bˈiː"))
    path = folder / "config.yaml"
    conf = yaml.safe_load(path.read_text())
    conf["token_list"] = [names.get(one, one) for one in conf["token_list"]]
    path.write_text(yaml.safe_dump(conf))
    path = folder / "voice.onnx.json"
    content = json.loads(path.read_text()) | settings
    ids = content["phoneme_id_map"].items()
    content["phoneme_id_map"] = {names.get(one, one): id for one, id in ids}
    path.write_text(json.dumps(content))
    return Experiment(folder)


def test_the_runtime_synthesizes_text(experiments, tmp_path):
    """Samples have its front end."""
    out = tmp_path / "voice"
    experiment = copy_imported(experiments["piper, replaced"], tmp_path / "exp")
    arguments = ["export", experiment.checkpoint, out, "--weights", "int8"]
    assert main([*map(str, arguments), "--sample", "Bee bee"]) == 0
    voice = Voice(out)
    assert voice.config.scales["noise_scale"] == 0.5  # the imported voice's
    sample, _ = soundfile.read(out / "samples/1.wav")
    assert len(sample) > 0 and voice.ids(["b"]) == [1, 0, 4, 0, 2]
    assert len(voice.synthesize("bee bee")) > 0


def test_a_sample_of_an_imported_voice_has_its_front_end(experiments, tmp_path, capsys):
    source = experiments["piper"]
    espeak = copy_imported(source, tmp_path / "espeak")
    assert choose_front_end(espeak, None, None).tokens_of("bee") == [4, 5, 6, 7]
    letters = copy_imported(source, tmp_path / "text", phoneme_type="text")
    assert choose_front_end(letters, None, None).tokens_of("Bi B") == [4, 6, 3, 4]
    arguments = ["export", str(espeak.checkpoint), str(tmp_path / "voice")]
    assert main([*arguments, "--sample", "Bee", "bee!"]) == 2
    error = capsys.readouterr().err
    assert "--sample: 'bee!': " in error and "has no token '!'; give a" in error


def test_a_cleaner_is_a_warning(tmp_path):
    experiment = make_loud(tmp_path / "joint", **joint(), cleaner="tacotron")
    made = export(experiment, tmp_path / "voice", vocoder=None, espeak_voice="en-us")
    (warning,) = made.settings["warnings"]
    assert warning.startswith("clients do not apply cleaner tacotron: ")


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


X_VECTORS = {
    "vits": vits(global_channels=4, spk_embed_dim=5),
    "jets": jets(spk_embed_dim=5, spk_embed_integration_type="concat"),
}


@pytest.mark.parametrize("name", X_VECTORS)
def test_speakers_by_their_embeddings(tmp_path, monkeypatch, capsys, name):
    """The voice has the named ones, in this order; the first is the default."""
    monkeypatch.chdir(tmp_path)
    write_embeddings(tmp_path / "dump/xvector/train")
    data = [["dump/xvector/train/xvector.scp", "spembs", "kaldi_ark"]]
    folder = tmp_path / "exp"
    options = {"train_data_path_and_name_and_type": data}
    model = make_loud(folder, **X_VECTORS[name], **options).model
    arguments = ["export", str(folder), "voice", "--weights", "fp32"]
    assert main([*arguments, "--xvector", "bob", "ann"]) == 0
    voice = Voice("voice")
    assert voice.speakers == ["bob", "ann"]
    model, gain = (
        Experiment(folder).model,
        json.loads(voice.config.path.read_text())["gain"],
    )
    graph = Graph(tmp_path / "voice" / GRAPH, input_names(True))
    tokens = [4, 6, 5, 8, 10]
    sent = padded(tokens)
    waves = []
    for index, seed in enumerate((2, 1)):
        wave, _ = graph.synthesize(graph_inputs(sent, STILL, index))
        spembs = vector_of(seed)
        made = synthesize(model, torch.tensor(tokens), 0.0, 0.0, spembs=spembs)
        expected = np.clip(made.waveform.numpy() * gain, -1, 1)
        np.testing.assert_allclose(wave, expected, atol=2e-4)
        waves.append(wave)
    assert waves[0].shape != waves[1].shape or not np.allclose(*waves, atol=1e-3)
    assert main(["export", str(folder), "no"]) == 2
    assert "name speakers of the training set with --xvector" in capsys.readouterr().err
    assert main(["export", str(folder), "no", "--xvector", "anna"]) == 2
    assert "--xvector anna: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes, line",
    [
        (
            {"text2mel_type": "tacotron2", "text2mel_params": TACOTRON2},
            "text2mel_type: Tacotron2 cannot be exported; fastspeech2 and fastspeech can",
        ),
        (
            {"vocoder_type": "melgan_generator", "vocoder_params": {"channels": 256}},
            "vocoder_type: MelGANGenerator cannot be exported; hifigan_generator can",
        ),
        (
            {"text2mel_params": FASTSPEECH2 | {"use_gst": True}},
            "use_gst: a model of style tokens takes an input that no client has",
        ),
    ],
)
def test_parts_that_cannot_be_exported_are_refused(tmp_path, changes, line):
    conf = joint()
    conf["tts_conf"] |= changes
    folder = make_experiment(tmp_path / "joint", **conf, **PHONES)
    with pytest.raises(ConfigError, match=line):
        export(folder, tmp_path / "voice", vocoder=None)


@pytest.mark.slow
def test_several_voices_keep_the_names_of_speakers(tmp_path):
    from espnet_distill import import_piper

    voice = make_piper(tmp_path / "high", **HIGH)
    experiment = import_piper(voice, tmp_path / "exp")
    made = export(experiment, tmp_path / "voice", vocoder=None)
    assert made.settings["speaker_id_map"] == {"s0": 0, "s1": 1, "s2": 2}


def conditions_of(tts):
    """Return the inputs of the first speaker, and of language 1."""
    inputs = {}
    if tts.spks:
        inputs["sids"] = torch.tensor([0])
    if tts.spk_embed_dim:
        inputs["spembs"] = torch.randn(tts.spk_embed_dim)
    return inputs, {"lids": torch.tensor([1])} if tts.langs else {}


def kinds():
    """Return the first configuration of each class, decoder and conditioning."""
    found = {}
    for one in configurations():
        conf = parameters({"tts_conf": one.conf})
        conditions = [conf.get(key) for key in ("spks", "langs", "spk_embed_dim")]
        several = tuple((count or 0) > 1 for count in conditions)
        decoder = str(conf.get("decoder_upsample_scales"))
        found.setdefault((one.tts, several, decoder), one)
    return found.values()


@pytest.mark.slow
@pytest.mark.parametrize("one", kinds(), ids=lambda one: one.name)
def test_espnets_configurations_at_their_size(one):
    """Random weights of the recipes' sizes, with durations of some frames."""
    tts = build(one).tts
    for name, value in tts.generator.named_parameters():
        if name.endswith("duration_predictor.flows.0.m"):
            value.data -= 1
        elif name.endswith("duration_predictor.linear.bias"):
            value.data += 1
    speaker, language = conditions_of(tts)
    symbols = phoneme_ids(LETTERS, FrontEnd("char"), None, "")
    scale_output(tts, symbols.tokens, speaker | language)
    references = synthesize_references(tts, symbols.tokens, padded, speaker | language)
    assert references[-1].wave.std() > 0.05
    speakers = [speaker] if tts.spk_embed_dim else []
    graph = build_graph(tts, symbols, 1, speakers, 1.0, "")
    count = 1 if speakers else tts.spks or 1
    traced = trace_voice(graph, references[0].ids, count, "output")
    made = Graph(traced, input_names(count > 1))
    assert require_equal(made.stream, references, 1.0) <= 1e-4


def scale_output(tts, tokens, conditions):
    """Scale the last layer of the decoder, so that waveforms are audible and no DC."""
    output = decoder_of(tts).output_conv[1]
    recorded = []
    handle = output.register_forward_hook(lambda *args: recorded.append(args[-1]))
    with torch.no_grad():
        tts.inference(text=torch.tensor(tokens[:8]), **conditions)
        scale = 0.5 / recorded[0].std()
        output.bias.copy_(-scale * (recorded[0].mean() - output.bias))
        output.weight_g *= scale
    handle.remove()
