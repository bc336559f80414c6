"""``espnet-distill compact``: the masked model's outputs from a smaller experiment."""

import pytest
import torch
import yaml

from espnet_distill.cli.main import main
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.pruning.post_training.comparison import (
    difference,
    dummy_calibrations,
)
from espnet_distill.structure.config_dims import count, shapes_of
from espnet_distill.structure.groups import find_groups
from espnet_distill.structure.heads import find_head_groups
from espnet_distill.structure.shape_groups import find_tied_groups
from espnet_distill.structure.slicing import mask_groups
from espnet_distill.students.find_groups import groups_of, outputs_of
from espnet_distill.students.size_search import Sizes
from espnet_distill.training.callback import TrainingContext
from espnet_distill.training.registry import build_callback

from ...conftest import (
    CONFORMER,
    FASTSPEECH,
    MEASURES,
    PREDICTORS,
    TACOTRON2,
    TRANSFORMER,
    WIDE_FASTSPEECH2,
    global_mvn,
    load_stock,
    make_experiment,
    run_python,
)

POSTNET = {"postnet_layers": 3, "postnet_chans": 8}
CONF = WIDE_FASTSPEECH2 | {"elayers": 2, "dlayers": 2, "postnet_layers": 3}
CONVNEXT = {"adim": 8, "elayers": 2, "eunits": 16, "dlayers": 1, "dunits": 16}
CONVNEXT |= {**POSTNET, **PREDICTORS}
ONE_PREDICTOR = {"duration_predictor_layers": 1, "duration_predictor_chans": 8}
MODELS = {
    "fastspeech2": ("fastspeech2", CONF),
    "conformer": ("fastspeech2", CONF | CONFORMER | {"postnet_layers": 3}),
    "fastspeech": ("fastspeech", FASTSPEECH | POSTNET | {"elayers": 2} | ONE_PREDICTOR),
    "transformer": ("transformer", TRANSFORMER | POSTNET),
    "convnext": ("fastspeech2_convnext", CONVNEXT),
}
OTHERS = {
    "tacotron2": (
        "tacotron2",
        TACOTRON2 | {"dunits": 16},
        {"dunits": 10, "adim": 5, "postnet_chans": 3, "eunits": 4, "embed_dim": 6},
    ),
    "rnn": ("fastspeech2_rnn", {"adim": 8, **POSTNET}, {"postnet_chans": 5}),
    "sepconv": (
        "fastspeech2_sepconv",
        {"adim": 8, "decoder_kernel_sizes": [3, 5], **POSTNET},
        {"postnet_chans": 5},
    ),
}
WRITING = ("linear_out", "w_2", "contract", "pointwise")


def experiment(folder, tts="fastspeech2", conf=CONF, **changes):
    """One whose every weight counts."""
    import espnet_distill

    espnet_distill.register()
    make_experiment(folder, tts=tts, tts_conf=conf, **changes)
    path = folder / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    generator = torch.Generator().manual_seed(1)
    for name, tensor in state.items():
        if name.startswith("tts.") and tensor.is_floating_point() and "run" not in name:
            tensor += 0.1 * torch.randn(tensor.shape, generator=generator)
    torch.save(state, path)
    return folder


def mask(folder, parts, kept, groups=None):
    """Put all but some units of the groups of some parts to zero; return how many."""
    model = load_stock(folder)
    traced = load_stock(folder).tts
    groups = groups or find_groups(traced, outputs_of(traced))
    chosen = [g for g in groups if any(p in g.axes[0].parameter for p in parts)]
    chosen = [group for group in chosen if group.size > 1]
    counts = [kept(number) if callable(kept) else kept for number in range(len(chosen))]
    units = [
        (group, torch.randperm(group.size)[:count].sort().values)
        for group, count in zip(chosen, counts)
    ]
    model.tts.load_state_dict(mask_groups(model.tts.state_dict(), units))
    torch.save(model.state_dict(), folder / "train.loss.ave.pth")
    assert chosen
    return len(chosen)


def compact(folder, out, *options):
    assert main(["compact", str(folder), str(out), *map(str, options)]) == 0
    return yaml.safe_load((out / "config.yaml").read_text())


def whole_configuration(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())["tts_conf"]


def largest_difference(printed):
    return float(printed.partition("of the outputs, on ")[2].split(": ")[1].split()[0])


@pytest.mark.parametrize("name", MODELS)
def test_equal_counts_make_a_stock_experiment(name, tmp_path, capsys):
    tts, conf = MODELS[name]
    folder = experiment(tmp_path / "exp", tts, conf)
    mask(folder, ("w_1", "postnet", "expand"), 6)
    config = compact(folder, tmp_path / "out")
    assert config["tts"] == tts
    for key in ("eunits", "dunits", "postnet_chans"):
        assert config["tts_conf"][key] == 6
    others = {"eunits": 6, "dunits": 6, "postnet_chans": 6}
    assert config["tts_conf"] == whole_configuration(folder) | others
    printed = capsys.readouterr().out
    assert largest_difference(printed) < 1e-5 and "--stage 7" not in printed
    Experiment(tmp_path / "out/model.pth").build()


@pytest.mark.parametrize(
    "name", ["fastspeech2", "conformer", "fastspeech", "transformer", "convnext"]
)
def test_unequal_counts_need_the_sized_class(name, tmp_path, capsys):
    tts, conf = MODELS[name]
    folder = experiment(tmp_path / "exp", tts, conf)
    mask(folder, ("w_1", "postnet", "expand"), lambda number: 5 + number % 2)
    config = compact(folder, tmp_path / "out")
    printed = capsys.readouterr().out
    assert config["tts"] == f"{tts}_sized"
    assert largest_difference(printed) < 1e-5
    assert f"tts: {tts}_sized needs the plugin at inference" in printed
    Experiment(tmp_path / "out/model.pth").build()
    config = compact(folder, tmp_path / "stock", "--stock-compatible")
    assert config["tts"] == tts and config["tts_conf"]["postnet_chans"] == 6
    assert largest_difference(capsys.readouterr().out) < 1e-5


@pytest.mark.parametrize("name", ["fastspeech2", "conformer", "transformer"])
def test_heads(name, tmp_path, capsys):
    tts, conf = MODELS[name]
    folder = experiment(tmp_path / "exp", tts, conf)
    heads = find_head_groups(load_stock(folder).tts)[1:]
    mask(folder, ("attn",), 1, heads)
    config = compact(folder, tmp_path / "out")
    assert config["tts"] == f"{tts}_sized"
    own = config["tts_conf"]["heads"]
    assert len(own) == len(heads) and set(own.values()) == {1}
    assert largest_difference(capsys.readouterr().out) < 1e-5


def test_what_was_compacted_is_compacted_again(tmp_path, capsys):
    folder = experiment(tmp_path / "exp")
    heads = find_head_groups(load_stock(folder).tts)[1:]
    mask(folder, ("attn",), 1, heads)
    first = compact(folder, tmp_path / "first")
    (tmp_path / "first/model.pth").rename(tmp_path / "first/train.loss.ave.pth")
    mask(tmp_path / "first", ("decoder.encoders.1.feed",), 5)
    second = compact(tmp_path / "first", tmp_path / "second")
    assert largest_difference(capsys.readouterr().out) < 1e-5
    assert second["tts_conf"]["heads"] == first["tts_conf"]["heads"]
    assert "decoder.encoders.1.feed_forward.w_1" in second["tts_conf"]["sizes"]


@pytest.mark.parametrize("name", ["fastspeech2", "transformer", "convnext"])
def test_layers_before_a_norm(name, tmp_path, capsys):
    tts, conf = MODELS[name]
    folder = experiment(tmp_path / "exp", tts, conf)
    stack = {"fastspeech2": "decoder.encoders", "transformer": "decoder.decoders"}
    stack = stack.get(name, "encoder.layers")
    silence(folder, f"tts.{stack}.0.")
    config = compact(folder, tmp_path / "out")
    key = "elayers" if name == "convnext" else "dlayers"
    assert config["tts"] == tts
    assert config["tts_conf"] == whole_configuration(folder) | {key: 1}
    printed = capsys.readouterr().out
    assert f"1 of 2 layers of {stack}: [0]" in printed
    assert largest_difference(printed) < 1e-5


def silence(folder, layer):
    """Put to zero what a layer writes to the residual stream."""
    path = folder / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    for name, tensor in state.items():
        if name.startswith(layer) and name.split(".")[-2] in WRITING:
            tensor.zero_()
    torch.save(state, path)


def test_all_layers_but_one(tmp_path):
    folder = experiment(tmp_path / "exp")
    for number in range(2):
        silence(folder, f"tts.decoder.encoders.{number}.")
    assert compact(folder, tmp_path / "out")["tts_conf"]["dlayers"] == 1


def test_predictors_are_compared_as_they_were_trained(tmp_path, capsys):
    folder = experiment(tmp_path / "exp")
    mask(folder, ("pitch_predictor",), 4)
    config = compact(folder, tmp_path / "out")
    assert config["tts_conf"]["pitch_predictor_chans"] == 4
    printed = capsys.readouterr().out
    assert largest_difference(printed) < 1e-5
    assert "1 layer normalizations excluded masked units" in printed


@pytest.mark.parametrize("name", ["tacotron2", "rnn", "sepconv"])
def test_what_no_graph_sees(name, tmp_path, capsys):
    tts, conf, sizes = OTHERS[name]
    folder = experiment(tmp_path / "exp", tts, conf)
    tied = tied_groups(folder)
    for key, size in sizes.items():
        group = tied[key]
        mask(folder, ("",), size * group.size // conf[key], [group])
    if name == "sepconv":
        silence(folder, "tts.decoder.layers.1.")
        sizes = sizes | {"decoder_kernel_sizes": [3]}
    config = compact(folder, tmp_path / "out")
    assert config["tts"] == tts
    assert config["tts_conf"] == whole_configuration(folder) | sizes
    assert largest_difference(capsys.readouterr().out) < 1e-5


def tied_groups(folder):
    """Groups of a model's widths, by key."""
    model = load_stock(folder).tts
    conf = whole_configuration(folder)
    sizes = Sizes(type(model), model.idim, model.odim, conf)
    config_dims = [
        config_dim for config_dim in sizes.config_dims if not config_dim.is_depth
    ]
    groups = find_tied_groups(model, config_dims, outputs_of(model))
    return {config_dim.key: group for config_dim, group in zip(config_dims, groups)}


@pytest.mark.parametrize("name", ["fastspeech2", "conformer", "stopped"])
def test_residual_width(name, tmp_path, capsys):
    kinds = ("pitch", "energy")
    stop = {f"stop_gradient_from_{kind}_predictor": True for kind in kinds}
    _, conf = MODELS.get(name, ("fastspeech2", CONF | stop))
    folder = experiment(tmp_path / "exp", conf=conf)
    mask(folder, ("encoder.embed",), 11)
    config = compact(folder, tmp_path / "out")
    assert config["tts"] == "fastspeech2_sized" and config["tts_conf"]["adim"] == 12
    printed = capsys.readouterr().out
    assert 1e-5 < largest_difference(printed) < 10
    wanted = "--stage 7 --stop_stage 7 --train_config"
    assert f"{wanted} {tmp_path}/out/train" in printed
    config = compact(folder, tmp_path / "stock", "--stock-compatible")
    assert config["tts_conf"] == whole_configuration(folder)


def test_heads_and_residual_width_alike_are_stock(tmp_path):
    folder = experiment(tmp_path / "exp")
    mask(folder, ("encoder.embed",), 8)
    mask(folder, ("attn",), 1, find_head_groups(load_stock(folder).tts))
    config = compact(folder, tmp_path / "out")
    whole = whole_configuration(folder)
    assert config["tts"] == "fastspeech2"
    assert config["tts_conf"] == whole | {"adim": 8, "aheads": 1}


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_single_weights_are_baked(share, tmp_path, capsys):
    folder = experiment(tmp_path / "exp")
    path = folder / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    for name, tensor in state.items():
        if name.startswith("tts.") and tensor.dim() > 1:
            tensor[torch.rand(tensor.shape) < share] = 0
    torch.save(state, path)
    config = compact(folder, tmp_path / "out")
    printed = capsys.readouterr().out
    assert config["tts_conf"] == whole_configuration(folder)
    assert "gzip" in printed and "saves space once compressed, and no time" in printed
    assert largest_difference(printed) == 0


def test_real_sentences(corpus, tmp_path, capsys):
    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    folder = experiment(tmp_path / "exp", **stats)
    mask(folder, ("w_1",), 6)
    data = corpus.root / "train"
    options = "--data", data, "--durations", data / "durations"
    config = compact(folder, tmp_path / "out", *options)
    printed = capsys.readouterr().out
    assert f"on 4 sentences of {data}" in printed and largest_difference(printed) < 1e-5
    named = config["pitch_normalize_conf"]["stats_file"]
    assert named == f"{tmp_path}/out/pitch_stats.npz"
    state = torch.load(tmp_path / "out/model.pth", weights_only=True)
    whole = torch.load(folder / "train.loss.ave.pth", weights_only=True)
    assert torch.equal(state["normalize.mean"], whole["normalize.mean"])


def prune(folder, **options):
    """Prune a model in one step; return it as masked."""
    model, twin = load_stock(folder).tts, load_stock(folder).tts
    when = {"schedule": "one_shot", "start": 1}
    callback = build_callback({"type": "prune", **when, **options})
    conf = whole_configuration(folder)
    sizes = Sizes(type(twin), twin.idim, twin.odim, conf)
    callback.find_groups = lambda tts: groups_of(twin, lambda: sizes.config_dims)
    callback.on_train_start(TrainingContext(model, steps=1, epochs=1))
    callback.on_step_end(1)
    state = load_stock(folder).state_dict()
    state |= {f"tts.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save(state, folder / "train.loss.ave.pth")
    return model.eval()


@pytest.mark.parametrize(
    "options, is_stock",
    [
        ({"granularity": "structured"}, True),
        ({"granularity": "structured", "scope": "global"}, False),
        ({"granularity": "structured", "prune_also": ["heads"]}, False),
        ({"granularity": "layers", "pressure": 0.373}, True),
    ],
    ids=str,
)
def test_what_the_callback_masks(options, is_stock, tmp_path):
    wide = CONF | {"eunits": 64, "dunits": 64, "elayers": 2}
    folder = experiment(tmp_path / "exp", conf=wide)
    pressure = options.get("pressure", 0.3)
    masked = prune(folder, **options | {"pressure": pressure})
    config = compact(folder, tmp_path / "out")
    assert (config["tts"] == "fastspeech2") == is_stock
    both = masked, Experiment(tmp_path / "out").model.tts
    whole, left = (count(shapes_of(tts)) for tts in both)
    assert left / whole == pytest.approx(1 - pressure, abs=0.011)
    assert difference(both, dummy_calibrations(both)).most < 1e-5
    zeroed = load_stock(folder).tts.eval(), both[1]
    is_counted = "structured" in options.values()
    assert (difference(zeroed, dummy_calibrations(zeroed)).most > 1e-3) == is_counted


@pytest.mark.parametrize("stock", [True, False])
@pytest.mark.parametrize("name", ["fastspeech2", "conformer", "transformer"])
def test_what_is_inside_goes_with_the_residual_width(name, stock, tmp_path):
    tts, conf = MODELS[name]
    folder = experiment(tmp_path / "exp", tts, conf | {"eunits": 64, "dunits": 64})
    masked = prune(
        folder, prune_also=["residual"], pressure=0.4, stock_compatible=stock
    )
    config = compact(folder, tmp_path / "out")
    assert config["tts"] == (tts if stock else f"{tts}_sized")
    assert config["tts_conf"]["adim"] < whole_configuration(folder)["adim"]
    left = Experiment(tmp_path / "out").model.tts
    share = count(shapes_of(left)) / count(shapes_of(masked))
    assert share == pytest.approx(0.6, abs=0.011)


POST_NORM = {"encoder_normalize_before": False, "decoder_normalize_before": False}
WIDE = {"eunits": 64, "dunits": 64}
SCALED = {"conformer_pos_enc_layer_type": "abs_pos"}
SCALED |= {"conformer_self_attn_layer_type": "selfattn"}


@pytest.mark.parametrize(
    "tts, conf",
    [
        ("fastspeech2", CONF | WIDE),
        ("fastspeech2", CONF | WIDE | CONFORMER | {"conformer_rel_pos_type": "latest"}),
        ("fastspeech2", CONF | WIDE | CONFORMER | {"conformer_rel_pos_type": "legacy"}),
        ("fastspeech2", CONF | WIDE | CONFORMER | SCALED),
        ("transformer", TRANSFORMER | {"adim": 16, "use_scaled_pos_enc": False}),
        ("fastspeech2_rnn", {"adim": 16, "postnet_layers": 0, **PREDICTORS}),
    ],
    ids=["transformer", "relative", "legacy", "absolute", "transformer TTS", "rnn"],
)
def test_a_narrower_stream_gives_the_same_output(tts, conf, tmp_path):
    """During training, positions are encoded and normalized as in the narrower model."""
    folder = experiment(tmp_path / "exp", tts, conf)
    masked = prune(folder, prune_also=["residual"], pressure=0.4, stock_compatible=True)
    compact(folder, tmp_path / "out")
    both = masked, Experiment(tmp_path / "out").model.tts
    assert both[1].feat_out.in_features < both[0].feat_out.in_features
    assert difference(both, dummy_calibrations(both)).most < 1e-5


def test_half_precision_stays_half(tmp_path):
    folder = experiment(tmp_path / "exp")
    mask(folder, ("w_1",), 6)
    path = folder / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    half = {n: t.half() if n.startswith("tts.") else t for n, t in state.items()}
    torch.save(half, path)
    compact(folder, tmp_path / "out")
    assert (tmp_path / "out/model.pth").stat().st_size < path.stat().st_size


def test_sizes_that_no_class_has_stay(tmp_path, capsys):
    """Single weights of style tokens are pruned to a whole column by chance."""
    folder = experiment(tmp_path / "exp", conf=CONF | STYLE)
    path = folder / "train.loss.ave.pth"
    state = torch.load(path, weights_only=True)
    for name in ("linear_k", "linear_v"):
        state[f"tts.gst.stl.mha.{name}.weight"][:, 0] = 0
    state["tts.postnet.postnet.0.0.weight"].zero_()
    torch.save(state, path)
    config = compact(folder, tmp_path / "out")
    assert config["tts"] == "fastspeech2"
    assert config["tts_conf"]["adim"] == CONF["adim"]
    assert largest_difference(capsys.readouterr().out) < 1e-5


@pytest.mark.parametrize(
    "tts, conf, pressure",
    [
        ("fastspeech2", CONFORMER, 0.3),
        ("fastspeech2", CONFORMER | POST_NORM, 0.3),
        ("transformer", TRANSFORMER | POST_NORM, 0.344),
    ],
    ids=["conformer", "post-norm conformer", "post-norm transformer TTS"],
)
def test_layers_that_normalize_their_output(tts, conf, pressure, tmp_path):
    """Such a layer with zero branches is no identity."""
    deep = {"elayers": 3, "dlayers": 3, "postnet_layers": 0}
    folder = experiment(tmp_path / "exp", tts, conf | deep)
    masked = prune(folder, granularity="layers", pressure=pressure)
    config = compact(folder, tmp_path / "out")
    assert config["tts"] == tts
    both = masked, Experiment(tmp_path / "out").model.tts
    assert difference(both, dummy_calibrations(both)).most < 1e-5


def test_narrower_style_tokens_of_a_recurrent_model_give_the_same_output(tmp_path):
    folder = experiment(tmp_path / "exp", "tacotron2", TACOTRON2 | STYLE)
    masked = prune(folder, prune_also=["residual"], pressure=0.5)
    compact(folder, tmp_path / "out")
    both = masked, Experiment(tmp_path / "out").model.tts
    widths = [model.gst.stl.mha.linear_q.out_features for model in both]
    assert widths[1] < widths[0]
    assert difference(both, dummy_calibrations(both)).most < 1e-5


SYNTHESIZE = """
import sys
from espnet2.bin.tts_inference import Text2Speech
text2speech = Text2Speech(sys.argv[1] + "/config.yaml", sys.argv[1] + "/model.pth")
assert not any(name.startswith("espnet_distill") for name in sys.modules)
print(len(text2speech("a word")["wav"]))
"""


def test_stock_espnet_synthesizes_packs_and_trains_on(corpus, tmp_path):
    from espnet2.tasks.tts import TTSTask

    stats = global_mvn(**{name: corpus.stats(name) for name in MEASURES})
    folder = experiment(tmp_path / "exp", **stats)
    mask(folder, ("w_1", "postnet", "predictor"), 4)
    silence(folder, "tts.encoder.encoders.1.")
    compact(folder, tmp_path / "out")
    out = tmp_path / "out"
    result = run_python("-c", SYNTHESIZE, out, cwd=tmp_path)
    assert result.returncode == 0 and int(result.stdout) > 0, result.stderr
    options = ["--train_config", out / "config.yaml", "--model_file", out / "model.pth"]
    packed = tmp_path / "packed.zip"
    pack = ["-m", "espnet2.bin.pack", "tts", "--outpath", packed, *options]
    for path in out.glob("*.npz"):
        pack += ["--option", path]
    assert run_python(*pack).returncode == 0 and packed.is_file()
    training = yaml.safe_load((out / "train.yaml").read_text())
    own = yaml.safe_load(corpus.config(tmp_path / "own.yaml").read_text())
    keys = ("tts", "tts_conf", "init_param")
    own |= {key: training[key] for key in keys} | {"optim_conf": {"lr": 0.0}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
    TTSTask.main(cmd=corpus.training(tmp_path / "own.yaml", tmp_path / "more"))
    begun = torch.load(out / "model.pth", weights_only=True)
    trained = torch.load(tmp_path / "more/1epoch.pth", weights_only=True)
    assert begun.keys() == trained.keys()
    for name, tensor in begun.items():
        if name.startswith("tts.") and "running" not in name and "num_b" not in name:
            assert torch.equal(trained[name], tensor), name


def refuse(capsys, words, *arguments):
    capsys.readouterr()
    assert main(["compact", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_an_experiment_that_was_not_pruned(tmp_path, capsys):
    folder = experiment(tmp_path / "exp")
    refuse(capsys, "nothing in it is masked; prune it", folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_exists(tmp_path, capsys):
    refuse(capsys, f"{tmp_path} exists", tmp_path / "exp", tmp_path)


def test_data_without_durations_leave_nothing(corpus, tmp_path, capsys):
    folder = experiment(tmp_path / "exp")
    mask(folder, ("w_1",), 6)
    options = "--data", corpus.root / "train"
    words = "--durations: fastspeech2 requires the durations"
    refuse(capsys, words, folder, tmp_path / "out", *options)
    assert [path.name for path in tmp_path.iterdir()] == ["exp"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_outputs_that_are_not_finite_are_equal_to_nothing(tmp_path, value):
    folder = make_experiment(tmp_path / "exp", tts_conf=WIDE_FASTSPEECH2)
    models = tuple(load_stock(folder).tts.eval() for _ in range(2))
    assert difference(models, dummy_calibrations(models)).most == 0
    for model, which in zip(reversed(models), ("pruned", "original")):
        with torch.no_grad():
            model.feat_out.bias[0] = value
        message = f"the {which} model for sentence 1: NaN or infinity in mel_before"
        with pytest.raises(ConfigError, match=message):
            difference(models, dummy_calibrations(models))


STYLE = {"use_gst": True, "gst_tokens": 5, "gst_heads": 4, "gst_gru_units": 10}
STYLE |= {"gst_conv_layers": 1, "gst_conv_chans_list": [2]}
CONDITIONS = {
    "embedding": {"spk_embed_dim": 32},
    "appended": {"spk_embed_dim": 32, "spk_embed_integration_type": "concat"},
    "style": STYLE,
    "style, embedding": STYLE | {"spk_embed_dim": 32},
    "style, appended": STYLE
    | {"spk_embed_dim": 32, "spk_embed_integration_type": "concat"},
}


@pytest.mark.parametrize("stock", [True, False])
@pytest.mark.parametrize("name", CONDITIONS)
def test_the_residual_width_of_conditioned_models(name, stock, tmp_path):
    wide = CONF | {"adim": 32, "eunits": 64, "dunits": 64} | CONDITIONS[name]
    folder = experiment(tmp_path / "exp", conf=wide)
    state = torch.load(folder / "train.loss.ave.pth", weights_only=True)
    state |= {key: x * 0 for key, x in state.items() if key.endswith("alpha")}
    torch.save(state, folder / "train.loss.ave.pth")  # no table of positions
    masked = prune(
        folder, pressure=0.4, prune_also=["residual"], stock_compatible=stock
    )
    config = compact(folder, tmp_path / "out")
    assert config["tts_conf"]["adim"] < 32
    assert (config["tts"] == "fastspeech2") == stock
    both = masked, Experiment(tmp_path / "out").model.tts
    assert difference(both, dummy_calibrations(both)).most < 1e-4
