"""Every exported model and vocoder computes what ESPnet and PyTorch compute."""

import copy
import itertools

import numpy as np
import onnx
import pytest
import torch
from espnet2.gan_tts.hifigan import HiFiGANGenerator
from espnet2.tasks.tts import tts_choices

import espnet_distill
from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError
from espnet_distill.onnx_export.acoustic import MODULES
from espnet_distill.onnx_export.equality import (
    TOLERANCE,
    Loss,
    Reference,
    measure_loss,
    measure_rounding,
    require_equal,
    synthesize_references,
)
from espnet_distill.onnx_export.graph import (
    AcousticGraph,
    VocoderGraph,
    VoiceGraph,
    trace_vocoder,
    trace_voice,
)
from espnet_distill.onnx_export.phoneme_ids import padded
from espnet_distill.onnx_export.quantize import quantized, require_gain
from espnet_distill.onnx_export.vocoders.registry import Vocoder, inference_module
from espnet_distill.vocoders.distilled import DistilledVocoder
from espnet_distill.vocoders.generators.multiband_istft import MultibandISTFTGenerator
from espnet_distill.vocoders.generators.registry import (
    build_generator,
    prepare_inference,
)
from espnet_distill.vocoders.hifigan import HiFiGANVocoder
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.voice.graph import Graph, graph_inputs, input_names
from espnet_distill.voice.streaming import REQUIRED, STATE, StreamingGraphs

from ..conftest import CONFORMER, FASTSPEECH, FASTSPEECH2, PREDICTORS
from ..vocoders.test_generators import SMALL, conf
from ..voice.tiny import graph as tiny_graph

IDIM, ODIM, HOP = 12, 20, 256
FEATURES = {"fs": 16000, "n_fft": 512, "hop_length": HOP, "n_mels": ODIM}
VARIANT = {"adim": 8, "elayers": 1, "dlayers": 1, "postnet_layers": 0, **PREDICTORS}
SEPCONV = {
    **{"adim": 8, "encoder_kernel_sizes": [3], "decoder_kernel_sizes": [5]},
    **{"postnet_layers": 0, **PREDICTORS},
}
RANKS = {
    "encoder.encoders.0.self_attn.linear_q": 3,
    "decoder.encoders.0.feed_forward.w_1": 4,
}
MODELS = {
    "transformer": ("fastspeech2", FASTSPEECH2 | {"positionwise_layer_type": "conv1d"}),
    "plain positions": ("fastspeech2", FASTSPEECH2 | {"use_scaled_pos_enc": False}),
    "after, concatenated": (
        "fastspeech2",
        FASTSPEECH2
        | {
            **{"encoder_concat_after": True, "decoder_concat_after": True},
            **{"encoder_normalize_before": False, "decoder_normalize_before": False},
            "positionwise_layer_type": "conv1d-linear",
        },
    ),
    "conformer": (
        "fastspeech2",
        CONFORMER
        | {
            "conformer_rel_pos_type": "latest",
            "conformer_pos_enc_layer_type": "rel_pos",
            "conformer_self_attn_layer_type": "rel_selfattn",
            **{"zero_triu": True, "reduction_factor": 2},
        },
    ),
    "legacy conformer": ("fastspeech2", CONFORMER),
    "speakers and languages": ("fastspeech2", FASTSPEECH2 | {"spks": 3, "langs": 2}),
    "fastspeech": ("fastspeech", FASTSPEECH),
    "low rank": (
        "fastspeech2_sized",
        FASTSPEECH2 | {"ranks": RANKS, "heads": {"decoder.encoders.0.self_attn": 1}},
    ),
    **{
        f"{cell}": ("fastspeech2_rnn", VARIANT | {"cell": cell})
        for cell in ("rnn", "lstm", "gru")
    },
    "one direction": ("fastspeech2_rnn", VARIANT | {"bidirectional": False}),
    "sepconv": ("fastspeech2_sepconv", SEPCONV),
    "convnext": ("fastspeech2_convnext", VARIANT),
}
FIRST = next(iter(MODELS))
FREE_PHASE = "harmonic_istft_generator with a free phase"
VOCODERS = (*SMALL, FREE_PHASE, "HiFi-GAN with a floor", "HiFi-GAN with statistics")


def random_model(name, options):
    """Build a model whose tokens last several frames."""
    espnet_distill.register()
    torch.manual_seed(0)
    tts = tts_choices.get_class(name)(IDIM, ODIM, **options).eval()
    last = tts.duration_predictor.linear
    torch.nn.init.normal_(last.weight, std=0.5 / last.in_features**0.5)
    torch.nn.init.constant_(last.bias, 1.4)
    return tts


@pytest.mark.parametrize("hop", [3, 6])
def test_a_hop_that_cannot_be_exported_is_refused(hop):
    sizes = {"channels": 8, "upsample_scales": (2, 2), "hop_samples": hop}
    fault = (
        rf"^vocoder x: cannot be exported: n_fft 16 is no multiple of the hop \({hop}"
    )
    with pytest.raises(ConfigError, match=fault):
        inference_module(MultibandISTFTGenerator(20, **sizes), "vocoder x")


def random_vocoder(name):
    """Build a vocoder whose waveform is not near zero."""
    torch.manual_seed(0)
    statistics = torch.arange(float(ODIM)) / ODIM - 0.4, torch.full((ODIM,), 2.0)
    kind, _, more = name.partition(" with ")
    if kind in SMALL:
        mels = MelSpec.of_conf(FEATURES)
        changes = {"noise": "phases", "free_phase": True} if more else {}
        generator = build_generator(conf(kind, **changes), mels)
        for value in generator.parameters():
            torch.nn.init.normal_(value, std=0.2)
        if kind == "harmonic_istft_generator":
            torch.nn.init.constant_(generator.log_f0.bias, 5.0)
            generator.filters.bias.data -= 3
        generator = prepare_inference(generator)
        return DistilledVocoder(generator, mels, *statistics).eval()
    small = {"channels": 16, "upsample_scales": [16, 16]}
    generator = HiFiGANGenerator(
        in_channels=ODIM, upsample_kernel_sizes=[32, 32], **small
    )
    generator.remove_weight_norm()
    for value in generator.parameters():
        torch.nn.init.normal_(value, std=0.1)
    floor, statistics = (-0.5, None) if "floor" in name else (None, statistics)
    return HiFiGANVocoder(generator, 16000, statistics, floor).eval()


def make_graphs(module, loaded):
    """Return the parts of a voice: ids to mels, mels to a waveform."""
    return AcousticGraph(module, None, IDIM, [0, 1, IDIM - 1]), Vocoder(loaded, "")


def open_voice(graphs, speakers=1):
    """Export a voice and open it."""
    traced = trace_voice(VoiceGraph(*graphs), padded([2, 3, 4]), speakers, "output")
    return Graph(traced, input_names(speakers > 1))


def play(graph, ids, noise=0.667, length=1.0, speaker=0):
    return graph.synthesize(graph_inputs(ids, (noise, length, 0.8), speaker))


@pytest.fixture(scope="module")
def acoustic():
    """Build each model once: model, its exported module, and conditions."""
    built = {}

    def get(name):
        if name not in built:
            tts, options = random_model(*MODELS[name]), {}
            if tts.spks:
                options = {"sids": torch.tensor([0]), "lids": torch.tensor([1])}
            kind = next(to for of, to in MODULES.items() if isinstance(tts, of))
            module = kind(random_model(*MODELS[name]), language=1 if options else None)
            built[name] = tts, module, options
        return built[name]

    return get


@pytest.fixture(scope="module")
def vocoder():
    built = {}

    def get(name):
        if name not in built:
            built[name] = random_vocoder(name)
        return built[name]

    return get


# Each model with one vocoder, each vocoder with the first model; slow: all
PAIRS = [
    pytest.param(
        *pair,
        marks=[]
        if pair[0] == FIRST or pair[1] == "istft_generator"
        else pytest.mark.slow,
    )
    for pair in itertools.product(MODELS, VOCODERS)
]


@pytest.mark.parametrize(("name", "vocoder_name"), PAIRS)
def test_the_waveform_equals_that_of_pytorch(acoustic, vocoder, name, vocoder_name):
    tts, module, options = acoustic(name)
    loaded = vocoder(vocoder_name)
    tokens = list(range(2, IDIM - 1))
    references = synthesize_references(tts, loaded, tokens, options)
    assert references[-1].wave.std() > 1e-3
    assert len(references[-1].wave) > HOP * 64
    made = open_voice(make_graphs(module, loaded), tts.spks or 1)
    assert require_equal(made.stream, references, 1.0) <= TOLERANCE


@pytest.fixture(scope="module")
def plain(acoustic, vocoder):
    tts, module, _ = acoustic("transformer")
    loaded = vocoder("harmonic_istft_generator")
    return tts, loaded, open_voice(make_graphs(module, loaded))


@pytest.mark.parametrize("vocoder_name", VOCODERS)
def test_pieces_equal_the_waveform_of_pytorch(acoustic, vocoder, vocoder_name):
    tts, module, _ = acoustic(FIRST)
    loaded = vocoder(vocoder_name)
    tokens = list(range(2, IDIM - 1))
    references = synthesize_references(tts, loaded, tokens, {})
    mels, waves = make_graphs(module, loaded)
    acoustic = trace_voice(mels, padded([2, 3, 4]), 1, "mel")
    parts = StreamingGraphs(
        Graph(acoustic, input_names(False)),
        Graph(trace_vocoder(VocoderGraph(waves), ODIM), REQUIRED, STATE),
        context=waves.look_ahead,
        chunk=29,
    )
    assert len(list(parts.stream(references[-1].inputs))) > 3
    assert require_equal(parts.stream, references, 1.0) <= TOLERANCE


def test_rounding_errors_of_pytorch_are_measured_and_allowed(acoustic, vocoder):
    tts, _, options = acoustic(FIRST)
    loaded = copy.deepcopy(vocoder("harmonic_istft_generator"))
    tokens = list(range(2, IDIM - 1))
    references = synthesize_references(tts, loaded, tokens, options)
    rounding = measure_rounding(copy.deepcopy(tts), loaded, references, options)
    assert 0 < rounding < TOLERANCE
    assert torch.get_default_dtype() == torch.float32

    def differ(inputs):
        length = len(inputs["input"][0])
        wave = next(r.wave for r in references if len(r.ids) == length)
        yield wave + np.float32(2 * TOLERANCE)

    most = require_equal(differ, references, 1.0, lambda: TOLERANCE)
    assert most == pytest.approx(2 * TOLERANCE, rel=1e-2)
    for measured in (0.0, TOLERANCE / 10, float("nan")):
        with pytest.raises(ConfigError, match="differs from PyTorch's by 2.0e-04"):
            require_equal(differ, references, 1.0, lambda: measured)


def test_nan_equals_nothing():
    references = [Reference([2], np.zeros(4), padded([2])) for _ in range(2)]
    waves = iter([np.zeros(4), np.array([0, np.nan, 0, 0])])
    with pytest.raises(ConfigError, match="differs from PyTorch's by nan"):
        require_equal(lambda inputs: [next(waves)], references, 1.0, lambda: np.inf)


@pytest.mark.parametrize("speed", [0.3, 0.8, 1.0, 2.5])
def test_the_length_scale_is_that_of_espnet(plain, speed):
    tts, vocoder, made = plain
    tokens = [5, 6, 2, 9, 4, 4, 8]
    options = {"use_teacher_forcing": False, "alpha": speed}
    with torch.no_grad():
        expected = tts.inference(text=torch.tensor(tokens), **options)
        wave = vocoder(expected["feat_gen"])
    actual, frames = play(made, padded(tokens), length=speed)
    assert len(actual) == len(wave) == frames.sum() * HOP
    torch.testing.assert_close(torch.tensor(actual), wave, atol=1e-4, rtol=0)


def test_frames_belong_to_the_ids_as_they_were_sent(plain):
    tts, _, made = plain
    tokens = [5, 6, 2, 9]
    ids = padded(tokens)
    with torch.no_grad():
        options = {"use_teacher_forcing": False}
        durations = tts.inference(torch.tensor(tokens), **options)["duration"]
    _, frames = play(made, ids)
    assert len(frames) == len(ids)
    assert frames[2:-2:2].tolist() == durations[:-1].tolist()
    assert frames[-1] == durations[-1] and frames.sum() == durations.sum()


def test_ids_without_tokens_are_dropped(plain):
    _, _, made = plain
    expected, _ = play(made, padded([5, 6, 2]))
    for ids in ([5, 6, 2], [1, 5, 1, 6, 2, 0, 0], [0, 0, 5, IDIM - 1, 6, 0, 2, 0]):
        actual, _ = play(made, ids)
        assert (actual == expected).all()


@pytest.mark.parametrize(
    ("ids", "noise", "length"),
    [([0, 0, 0], 0.667, 1.0), ([5], 0.667, 1.0), ([5, 6], 0.0, 0.01), ([5], 0.0, 3.0)],
)
def test_odd_inputs_are_finite(plain, ids, noise, length):
    _, _, made = plain
    wave, _ = play(made, ids, noise, length)
    assert len(wave) and torch.tensor(wave).isfinite().all()


def test_the_noise_has_a_scale(plain):
    _, _, made = plain
    ids = padded([5, 6, 2, 9])
    silent, usual, loud = (play(made, ids, by)[0] for by in (0.0, 0.667, 1.334))
    noise = torch.tensor(usual - silent)
    assert noise.std() > 1e-4
    inside = (abs(loud) < 1) & (abs(usual) < 1) & (abs(silent) < 1)
    torch.testing.assert_close(
        torch.tensor(loud - silent)[inside], 2 * noise[inside], atol=1e-4, rtol=1e-3
    )


def test_of_noise_of_one_magnitude_the_phases_are_stored(vocoder):
    sizes = {}
    for name in ("harmonic_istft_generator", FREE_PHASE):
        made = Vocoder(vocoder(name), "")
        buffers = dict(made.named_buffers())
        noise = [value for key, value in buffers.items() if ".noise" in key]
        sizes[name] = sum(value.numel() for value in noise)
    assert sizes[FREE_PHASE] * 2 == sizes["harmonic_istft_generator"] > 0


def test_a_speaker_is_chosen(acoustic, vocoder):
    tts, module, options = acoustic("speakers and languages")
    loaded = vocoder("istft_generator")
    made = open_voice(make_graphs(module, loaded), 3)
    tokens = [5, 6, 2, 9]
    waves = []
    for speaker in range(3):
        chosen = options | {"sids": torch.tensor([speaker])}
        with torch.no_grad():
            mels = tts.inference(torch.tensor(tokens), **chosen)["feat_gen"]
        waves.append(play(made, padded(tokens), speaker=speaker)[0])
        expected = loaded(mels).numpy()
        assert waves[-1].shape == expected.shape
        assert abs(waves[-1] - expected).max() <= TOLERANCE
    for one, other in itertools.combinations(waves, 2):
        assert one.shape != other.shape or abs(one - other).max() > 1e-3


@pytest.mark.parametrize("integration", ["add", "concat"])
@pytest.mark.parametrize("spks", [None, 4])
@pytest.mark.parametrize("count", [1, 3])
def test_speaker_embeddings_are_constants(vocoder, integration, spks, count):
    options = FASTSPEECH2 | {"spks": spks, "spk_embed_dim": 5}
    options |= {"spk_embed_integration_type": integration}
    tts, module = (random_model("fastspeech2", options) for _ in range(2))
    loaded = vocoder("istft_generator")
    ids = {} if spks is None else {"sids": torch.tensor([2])}
    speakers = [ids | {"spembs": torch.randn(5)} for _ in range(count)]
    kind = next(to for of, to in MODULES.items() if isinstance(tts, of))
    made = open_voice(make_graphs(kind(module, speakers=speakers), loaded), count)
    tokens = [5, 6, 2, 9]
    for index, inputs in enumerate(speakers):
        with torch.no_grad():
            mels = tts.inference(torch.tensor(tokens), **inputs)["feat_gen"]
        wave, _ = play(made, padded(tokens), speaker=index)
        expected = loaded(mels).numpy()
        assert wave.shape == expected.shape
        assert abs(wave - expected).max() <= TOLERANCE


def test_products_of_weights_are_quantized(acoustic, vocoder):
    _, module, _ = acoustic(FIRST)
    voice = VoiceGraph(*make_graphs(module, vocoder("harmonic_istft_generator")))
    traced = trace_voice(voice, padded([2, 3, 4]), 1, "output")
    model = onnx.load_from_string(traced)
    tables = {name for name, _ in voice.named_buffers()}
    made = quantized(model, tables)
    assert model == onnx.load_from_string(traced)
    by_kind = {
        kind: [node.name for node in made.graph.node if node.op_type == kind]
        for kind in ("MatMul", "MatMulInteger")
    }
    assert any("/decoder/" in name for name in by_kind["MatMulInteger"])
    assert any("/backbone/" in name for name in by_kind["MatMulInteger"])
    for part in ("/encoder/", "_predictor/", "/istft/", "/phases/"):
        assert any(part in name for name in by_kind["MatMul"])
        assert not any(part in name for name in by_kind["MatMulInteger"])
    fast, exact = (
        Graph(content, input_names(False))
        for content in (made.SerializeToString(), traced)
    )
    inputs = graph_inputs(padded([5, 6, 2, 9]), (0.667, 1.0, 0.8))
    (wave, frames), (exact_wave, exact_frames) = (
        graph.synthesize(inputs) for graph in (fast, exact)
    )
    assert (frames == exact_frames).all()
    assert 0 < abs(wave - exact_wave).mean() < 0.1 * abs(exact_wave).mean()


def test_quantization_is_refused_where_it_does_not_pay(plain):
    """The other graph does hardly anything."""
    _, _, made = plain
    quick = Graph(tiny_graph().SerializeToString(), input_names(False))
    tokens = [5, 6, 2, 9]
    references = [Reference(tokens, np.zeros(1), padded(tokens))]
    assert require_gain(quick, made, references, Loss(0.01, 0)) > 1
    for loss, graphs, message in (
        (Loss(0.01, 0), (made, quick), "takes .* times the time of fp32"),
        (Loss(0.06, 0), (quick, made), "log-mels differ by 0.060 from those of fp32"),
        (Loss(None, 9), (quick, made), "durations differ from those of fp32"),
    ):
        with pytest.raises(ConfigError, match=f"--quantize dynamic: {message}"):
            require_gain(*graphs, references, loss)


LARGE = {
    **{"adim": 384, "aheads": 2, "elayers": 4, "eunits": 1536, "dlayers": 4},
    **{"dunits": 1536, "postnet_layers": 5, "postnet_chans": 256, "postnet_filts": 5},
    **{"positionwise_layer_type": "conv1d", "positionwise_conv_kernel_size": 3},
    **{f"{kind}_predictor_layers": 2 for kind in ("duration", "energy")},
    **{"pitch_predictor_layers": 5, "pitch_predictor_kernel_size": 5},
    **{f"{kind}_predictor_chans": 256 for kind in ("duration", "pitch", "energy")},
    **{"use_scaled_pos_enc": True},
}


@pytest.mark.parametrize(
    "encoder", [pytest.param("transformer", marks=pytest.mark.slow), "conformer"]
)
def test_models_of_the_size_of_the_recipes(vocoder, encoder):
    """LJSpeech's FastSpeech2 and Conformer of ESPnet, with random weights."""
    options = LARGE | {"encoder_type": encoder, "decoder_type": encoder}
    if encoder == "conformer":
        options |= {
            **{"conformer_enc_kernel_size": 7, "conformer_dec_kernel_size": 31},
            **{"use_macaron_style_in_conformer": True, "use_cnn_in_conformer": True},
        }
    tts = random_model("fastspeech2", options)
    loaded = vocoder("istft_generator")
    tokens = list(range(2, IDIM - 1))
    references = synthesize_references(tts, loaded, tokens, {})
    module = MODULES[next(of for of in MODULES if isinstance(tts, of))](tts)
    made = open_voice(make_graphs(module, loaded))
    assert require_equal(made.stream, references, 1.0) <= TOLERANCE


class OneFrame:
    """A voice of one frame of 256 samples."""

    def synthesize(self, inputs):
        return np.zeros(256, np.float32), np.array([1])


def test_the_loss_of_a_wave_shorter_than_a_window():
    reference = Reference([2], np.zeros(1), padded([2]))
    extractor = LatentSpec(16000, 256, 8, 0, "").mels().extractor()  # windows of 1024
    loss = measure_loss(OneFrame(), OneFrame(), [reference], extractor)
    assert loss == Loss(0.0, 0)
