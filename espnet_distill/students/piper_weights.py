"""Map the weights of a Piper voice to a VITSSynthesizer: configuration and state."""

import math
from collections.abc import Iterator

import numpy as np

from espnet_distill.students.piper_graph import PiperGraph, layers_of

RESBLOCKS = "dec.resblocks.{}"


def to_synthesizer(graph: PiperGraph) -> tuple[dict, dict[str, np.ndarray]]:
    """Return `tts_conf` without the sampling rate, and the state dict without `tts.`.

    Args:
        graph: The voice's weights, all of which are taken.

    Raises:
        ConfigError: Weights are missing or left.
    """
    encoder_conf, encoder = _text_encoder(graph)
    decoder_conf, others, decoder = _decoder(graph)
    flow_conf, flow = _flow(graph)
    predictor_conf, predictor = _duration_predictor(graph)
    params = {
        "hidden_channels": int(encoder["emb.weight"].shape[1]),
        **decoder_conf,
        **flow_conf,
        **predictor_conf,
    }
    state = {
        f"generator.{part}.{name}": array
        for part, arrays in {
            "text_encoder": encoder,
            "decoder": decoder,
            "flow": flow,
            "duration_predictor": predictor,
        }.items()
        for name, array in arrays.items()
    }
    if "emb_g.weight" in graph.weights:
        speakers = graph.take("emb_g.weight")
        params |= {"spks": len(speakers), "global_channels": int(speakers.shape[1])}
        state["generator.global_emb.weight"] = speakers
    graph.require_empty()
    conf = {
        "generator_params": params,
        "text_encoder_type": "windowed",
        "text_encoder_params": encoder_conf,
        "decoder_params": others,
    }
    return conf, state


def _conv(graph: PiperGraph, source: str, target: str) -> dict[str, np.ndarray]:
    """Take weight and bias of a convolution."""
    return {
        f"{target}.{kind}": graph.take(f"{source}.{kind}")
        for kind in ("weight", "bias")
    }


def _linear(graph: PiperGraph, source: str, target: str) -> dict[str, np.ndarray]:
    """Take a convolution of size 1 as a linear layer."""
    taken = _conv(graph, source, target)
    taken[f"{target}.weight"] = taken[f"{target}.weight"][..., 0]
    return taken


def _norm(graph: PiperGraph, source: str, target: str) -> dict[str, np.ndarray]:
    names = {"weight": "gamma", "bias": "beta"}
    return {
        f"{target}.{ours}": graph.take(f"{source}.{name}")
        for ours, name in names.items()
    }


def _text_encoder(graph: PiperGraph) -> tuple[dict, dict[str, np.ndarray]]:
    state = {"emb.weight": graph.take("enc_p.emb.weight")}
    channels = state["emb.weight"].shape[1]
    attention = "enc_p.encoder.attn_layers.{}"
    count = graph.count(f"{attention}.conv_q.weight")
    if not count:
        raise graph.unknown("has no self-attention in its text encoder")
    for index in range(count):
        source, target = attention.format(index), f"layers.{index}"
        for ours, name in ("query", "q"), ("key", "k"), ("value", "v"), ("output", "o"):
            state |= _linear(
                graph, f"{source}.conv_{name}", f"{target}.attention.{ours}"
            )
        for ours, name in ("key", "k"), ("value", "v"):
            state[f"{target}.attention.distance_{ours}"] = graph.take(
                f"{source}.emb_rel_{name}"
            )
        for number in (1, 2):
            norm = f"enc_p.encoder.norm_layers_{number}.{index}"
            state |= _norm(graph, norm, f"{target}.norm{number}")
            conv = f"enc_p.encoder.ffn_layers.{index}.conv_{number}"
            state |= _conv(graph, conv, f"{target}.conv{number}")
    state |= _conv(graph, "enc_p.proj", "proj")
    units, _, kernel_size = state["layers.0.conv1.weight"].shape
    shared, distances, width = state["layers.0.attention.distance_key"].shape
    conf = {
        "layers": count,
        "units": int(units),
        "kernel_size": int(kernel_size),
        "heads": int(channels // width),
        "window": int(distances // 2),
        "shared": shared == 1,
    }
    return conf, state


def _decoder(graph: PiperGraph) -> tuple[dict, dict, dict[str, np.ndarray]]:
    """Return arguments of VITSGenerator and of HiFiGANGenerator, and the state."""
    state = _conv(graph, "dec.conv_pre", "input_conv")
    ups = list(layers_of(graph, "dec.ups.{}"))
    for index, source in enumerate(ups):
        state |= _conv(graph, source, f"upsamples.{index}.1")
    second = f"{RESBLOCKS}.convs1.0.weight".format(0) in graph.weights
    first = "convs1" if second else "convs"
    blocks = graph.count(f"{RESBLOCKS}.{first}.0.weight")
    if not ups or not blocks or blocks % len(ups):
        raise graph.unknown(f"has {blocks} residual blocks for {len(ups)} upsamplings")
    kernels, dilations = [], []
    for index in range(blocks):
        block = RESBLOCKS.format(index)
        sources = list(layers_of(graph, f"{block}.{first}.{{}}"))
        if index < blocks // len(ups):
            kernels.append(int(graph.weights[f"{sources[0]}.weight"].shape[2]))
            dilations.append([graph.dilations[source] for source in sources])
        for number, source in enumerate(sources):
            state |= _conv(graph, source, f"blocks.{index}.convs1.{number}.1")
            if second:
                state |= _conv(
                    graph,
                    f"{block}.convs2.{number}",
                    f"blocks.{index}.convs2.{number}.1",
                )
    state["output_conv.1.weight"] = graph.take("dec.conv_post.weight")
    bias = graph.weights.pop("dec.conv_post.bias", None)
    state["output_conv.1.bias"] = np.zeros(1, np.float32) if bias is None else bias
    if "dec.cond.weight" in graph.weights:
        state |= _conv(graph, "dec.cond", "global_conv")
    channels, _, kernel_size = state["input_conv.weight"].shape
    scales = [graph.strides[source] for source in ups]
    sizes = [state[f"upsamples.{n}.1.weight"].shape[2] for n in range(len(ups))]
    if sizes != [2 * scale for scale in scales]:
        raise graph.unknown(f"upsamples by {scales} with convolutions of size {sizes}")
    conf = {
        "decoder_channels": int(channels),
        "decoder_kernel_size": int(kernel_size),
        "decoder_upsample_scales": scales,
        "decoder_upsample_kernel_sizes": list(map(int, sizes)),
        "decoder_resblock_kernel_sizes": kernels,
        "decoder_resblock_dilations": dilations,
        "use_weight_norm_in_decoder": False,
    }
    return conf, {"use_additional_convs": second}, state


def _flow(graph: PiperGraph) -> tuple[dict, dict[str, np.ndarray]]:
    state, sources = {}, list(_coupling_layers(graph))
    if not sources:
        raise graph.unknown("has no flow")
    for index, source in enumerate(sources):
        target = f"flows.{2 * index}"
        layers = list(layers_of(graph, f"{source}.enc.in_layers.{{}}"))
        state |= _conv(graph, f"{source}.pre", f"{target}.input_conv")
        for number, in_layer in enumerate(layers):
            conv = f"{target}.encoder.conv_layers.{number}"
            state |= _conv(graph, in_layer, f"{conv}.conv")
            res_skip = f"{source}.enc.res_skip_layers.{number}"
            state |= _with_residual(_conv(graph, res_skip, f"{conv}.conv1x1_out"))
        state |= _conditioning(graph, f"{source}.enc.cond_layer", target, state)
        state |= _conv(graph, f"{source}.post", f"{target}.proj")
        state[f"{target}.proj.weight"] = state[f"{target}.proj.weight"] * np.float32(
            math.sqrt(len(layers))  # ESPnet divides the sum of the skips by it
        )
    base = _base_dilation(graph, layers)
    conf = {
        "flow_flows": len(sources),
        "flow_layers": len(layers),
        "flow_kernel_size": int(
            state["flows.0.encoder.conv_layers.0.conv.weight"].shape[2]
        ),
        "flow_base_dilation": base,
        "use_weight_norm_in_flow": False,
        "use_only_mean_in_flow": bool(
            state["flows.0.proj.weight"].shape[0]
            == state["flows.0.input_conv.weight"].shape[1]
        ),
    }
    return conf, state


def _coupling_layers(graph: PiperGraph) -> Iterator[str]:
    number = 0
    while f"flow.flows.{number}.pre.weight" in graph.weights:
        yield f"flow.flows.{number}"
        number += 2  # the layers between reverse the channels


def _base_dilation(graph: PiperGraph, layers: list[str]) -> int:
    dilations = [graph.dilations[layer] for layer in layers]
    base = dilations[1] if len(dilations) > 1 else 1
    if dilations != [base**number for number in range(len(dilations))]:
        raise graph.unknown(f"has dilations {dilations} in its flow")
    return base


def _with_residual(taken: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Complete the last layer, which has a skip connection only, by zeros.

    ESPnet computes a residual there, too, and does not use it.
    """
    (weight,) = (array for name, array in taken.items() if name.endswith("weight"))
    rows, columns = weight.shape[:2]
    if rows == 2 * columns:
        return taken
    return {
        name: np.concatenate([np.zeros_like(array), array])
        for name, array in taken.items()
    }


def _conditioning(graph: PiperGraph, source: str, target: str, state: dict) -> dict:
    """Take the conditioning of all layers; its bias is added to the convolutions'."""
    if f"{source}.weight" not in graph.weights:
        return {}
    weight, bias = graph.take(f"{source}.weight"), graph.take(f"{source}.bias")
    width = state[f"{target}.encoder.conv_layers.0.conv.bias"].shape[0]
    taken = {}
    for number in range(weight.shape[0] // width):
        layer = f"{target}.encoder.conv_layers.{number}"
        part = slice(number * width, (number + 1) * width)
        taken[f"{layer}.conv1x1_glo.weight"] = weight[part]
        taken[f"{layer}.conv.bias"] = state[f"{layer}.conv.bias"] + bias[part]
    return taken


def _duration_predictor(graph: PiperGraph) -> tuple[dict, dict[str, np.ndarray]]:
    if "dp.conv_1.weight" in graph.weights:
        raise graph.unknown("predicts durations without a flow")
    state = _conv(graph, "dp.pre", "pre") | _conv(graph, "dp.proj", "proj")
    layers = graph.count("dp.convs.convs_sep.{}.weight")
    state |= _separable(graph, "dp.convs", "dds")
    if "dp.cond.weight" in graph.weights:
        state |= _conv(graph, "dp.cond", "global_conv")
    for name in ("m", "logs"):
        state[f"flows.0.{name}"] = graph.take(f"dp.flows.0.{name}")
    number = 3  # the first convolutional flow, 1, is not used in synthesis
    while f"dp.flows.{number}.pre.weight" in graph.weights:
        source, target = f"dp.flows.{number}", f"flows.{number}"
        state |= _conv(graph, f"{source}.pre", f"{target}.input_conv")
        state |= _separable(graph, f"{source}.convs", f"{target}.dds_conv")
        state |= _conv(graph, f"{source}.proj", f"{target}.proj")
        number += 2
    conf = {
        "stochastic_duration_predictor_flows": (number - 1) // 2,
        "stochastic_duration_predictor_dds_conv_layers": layers,
        "stochastic_duration_predictor_kernel_size": int(
            state["dds.convs.0.0.weight"].shape[2]
        ),
    }
    return conf, state


def _separable(graph: PiperGraph, source: str, target: str) -> dict[str, np.ndarray]:
    """Take a stack of depthwise and pointwise convolutions with their norms."""
    state = {}
    for number in range(graph.count(f"{source}.convs_sep.{{}}.weight")):
        layer = f"{target}.convs.{number}"
        state |= _conv(graph, f"{source}.convs_sep.{number}", f"{layer}.0")
        state |= _norm(graph, f"{source}.norms_1.{number}", f"{layer}.2")
        state |= _conv(graph, f"{source}.convs_1x1.{number}", f"{layer}.5")
        state |= _norm(graph, f"{source}.norms_2.{number}", f"{layer}.7")
    return state
