"""A tiny voice with the structure and the names of Piper's, with random weights.

Written from the papers (VITS, arXiv:2106.06103; Shaw et al., arXiv:1803.02155), with the
spline of ESPnet; ONNX's exporter names nodes by the modules, as in Piper's voices.
"""

import json
import math
import warnings
from pathlib import Path

import torch
from espnet2.gan_tts.vits.transform import piecewise_rational_quadratic_transform
from torch import nn
from torch.nn.functional import gelu, layer_norm, leaky_relu
from torch.nn.utils import weight_norm

RATE = 8000
PHONEMES = ("_", "^", "$", " ", *"abcdefg")
WIDTH, GLOBAL = 8, 4
HIGH = {"blocks": 1, "scales": (4, 4, 2, 2), "speakers": 3}


class Norm(nn.Module):
    """Layer normalization of (B, C, T)."""

    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(1 + 0.1 * torch.randn(channels))
        self.beta = nn.Parameter(0.1 * torch.randn(channels))

    def forward(self, x):
        x = x.transpose(1, 2)
        return layer_norm(x, (len(self.gamma),), self.gamma, self.beta).transpose(1, 2)


class Attention(nn.Module):
    heads, window = 2, 2

    def __init__(self):
        super().__init__()
        for name in "qkvo":
            setattr(self, f"conv_{name}", nn.Conv1d(WIDTH, WIDTH, 1))
        shape = (1, 2 * self.window + 1, WIDTH // self.heads)
        self.emb_rel_k = nn.Parameter(torch.randn(shape))
        self.emb_rel_v = nn.Parameter(torch.randn(shape))

    def forward(self, x):
        """Compare each pair of positions with its own key and value."""
        q, k, v = (
            getattr(self, f"conv_{name}")(x).view(1, self.heads, -1, x.size(2))
            for name in "qkv"
        )
        steps = torch.arange(x.size(2))
        distance = steps[None] - steps[:, None]
        near = (distance.abs() <= self.window).float()[..., None]
        index = distance.clamp(-self.window, self.window) + self.window
        keys, values = (
            near * table.index_select(1, index.flatten()).view(*index.shape, -1)
            for table in (self.emb_rel_k, self.emb_rel_v)
        )  # (T, T, width of a head)
        keys = keys + k.permute(0, 1, 3, 2).unsqueeze(2)
        values = values + v.permute(0, 1, 3, 2).unsqueeze(2)
        scores = (q.permute(0, 1, 3, 2).unsqueeze(3) * keys).sum(-1)
        weights = (scores / math.sqrt(WIDTH // self.heads)).softmax(-1)
        y = (weights.unsqueeze(-1) * values).sum(3)  # (1, H, T, width)
        return self.conv_o(y.permute(0, 1, 3, 2).reshape(1, WIDTH, -1))


class FeedForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_1 = nn.Conv1d(WIDTH, 12, 3, padding=1)
        self.conv_2 = nn.Conv1d(12, WIDTH, 3, padding=1)

    def forward(self, x):
        return self.conv_2(self.conv_1(x).relu())


class Encoder(nn.Module):
    def __init__(self, layers=2):
        super().__init__()
        self.attn_layers = nn.ModuleList(Attention() for _ in range(layers))
        self.norm_layers_1 = nn.ModuleList(Norm(WIDTH) for _ in range(layers))
        self.ffn_layers = nn.ModuleList(FeedForward() for _ in range(layers))
        self.norm_layers_2 = nn.ModuleList(Norm(WIDTH) for _ in range(layers))

    def forward(self, x):
        for attention, norm1, ffn, norm2 in zip(
            self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2
        ):
            x = norm1(x + attention(x))
            x = norm2(x + ffn(x))
        return x


class TextEncoder(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        self.emb = nn.Embedding(symbols, WIDTH)
        self.encoder = Encoder()
        self.proj = nn.Conv1d(WIDTH, 2 * WIDTH, 1)

    def forward(self, ids):
        x = self.encoder(self.emb(ids).transpose(1, 2) * math.sqrt(WIDTH))
        return x, *self.proj(x).chunk(2, dim=1)


class Separable(nn.Module):
    def __init__(self, layers=2):
        super().__init__()
        self.convs_sep = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, 3, groups=WIDTH, dilation=3**n, padding=3**n)
            for n in range(layers)
        )
        self.convs_1x1 = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, 1) for _ in range(layers)
        )
        self.norms_1 = nn.ModuleList(Norm(WIDTH) for _ in range(layers))
        self.norms_2 = nn.ModuleList(Norm(WIDTH) for _ in range(layers))

    def forward(self, x, g=None):
        x = x if g is None else x + g
        for sep, one, norm1, norm2 in zip(
            self.convs_sep, self.convs_1x1, self.norms_1, self.norms_2
        ):
            x = x + gelu(norm2(one(gelu(norm1(sep(x))))))
        return x


class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.tensor([[0.3], [-0.2]]))
        self.logs = nn.Parameter(torch.tensor([[0.2], [0.1]]))

    def forward(self, x, g):
        return (x - self.m) * torch.exp(-self.logs)


class SplineFlow(nn.Module):
    def __init__(self):
        super().__init__()
        self.pre = nn.Conv1d(1, WIDTH, 1)
        self.convs = Separable()
        self.proj = nn.Conv1d(WIDTH, 29, 1)

    def forward(self, x, g):
        xa, xb = x.chunk(2, dim=1)
        h = self.proj(self.convs(self.pre(xa), g)).view(1, 1, 29, -1).transpose(2, 3)
        xb, _ = piecewise_rational_quadratic_transform(
            xb,
            h[..., :10] / math.sqrt(WIDTH),
            h[..., 10:20] / math.sqrt(WIDTH),
            h[..., 20:],
            inverse=True,
            tails="linear",
            tail_bound=5.0,
        )
        return torch.cat([xa, xb], 1)


class Flip(nn.Module):
    def forward(self, x, g):
        return x.flip(1)


class DurationPredictor(nn.Module):
    def __init__(self, several):
        super().__init__()
        self.pre = nn.Conv1d(WIDTH, WIDTH, 1)
        self.convs = Separable()
        self.proj = nn.Conv1d(WIDTH, WIDTH, 1)
        flows = [Affine()]
        for _ in range(3):
            flows += [SplineFlow(), Flip()]
        self.flows = nn.ModuleList(flows)
        if several:
            self.cond = nn.Conv1d(GLOBAL, WIDTH, 1)

    def forward(self, x, g, noise):
        x = self.pre(x) if g is None else self.pre(x) + self.cond(g)
        x = self.proj(self.convs(x))
        z = noise
        for index in (6, 5, 4, 3, 2, 0):  # without the first spline
            z = self.flows[index](z, x)
        return z[:, :1]


class WaveNet(nn.Module):
    def __init__(self, several, layers=3):
        super().__init__()
        self.in_layers = nn.ModuleList(
            weight_norm(nn.Conv1d(WIDTH, 2 * WIDTH, 5, padding=2))
            for _ in range(layers)
        )
        self.res_skip_layers = nn.ModuleList(
            weight_norm(nn.Conv1d(WIDTH, (1 + (n < layers - 1)) * WIDTH, 1))
            for n in range(layers)
        )
        if several:
            self.cond_layer = weight_norm(nn.Conv1d(GLOBAL, 2 * WIDTH * layers, 1))

    def forward(self, x, g):
        output = 0.0
        for number, (conv, out) in enumerate(zip(self.in_layers, self.res_skip_layers)):
            h = conv(x)
            if g is not None:
                first = 2 * WIDTH * number
                h = h + self.cond_layer(g)[:, first : first + 2 * WIDTH]
            h = out(h[:, :WIDTH].tanh() * h[:, WIDTH:].sigmoid())
            if h.size(1) > WIDTH:
                x = x + h[:, :WIDTH]
            output = output + h[:, -WIDTH:]
        return output


class Coupling(nn.Module):
    def __init__(self, several):
        super().__init__()
        self.pre = nn.Conv1d(WIDTH // 2, WIDTH, 1)
        self.enc = WaveNet(several)
        self.post = nn.Conv1d(WIDTH, WIDTH // 2, 1)

    def forward(self, x, g):
        xa, xb = x.chunk(2, dim=1)
        return torch.cat([xa, xb - self.post(self.enc(self.pre(xa), g))], 1)


class Flow(nn.Module):
    def __init__(self, several):
        super().__init__()
        self.flows = nn.ModuleList([Coupling(several), Flip()])
        self.flows.extend([Coupling(several), Flip()])

    def forward(self, x, g):
        for flow in reversed(self.flows):
            x = flow(x, g)
        return x


class Residual(nn.Module):
    """ResBlock1 (two convolutions a dilation) or ResBlock2 (one)."""

    def __init__(self, kind, channels, size, dilations):
        super().__init__()
        self.kind = kind

        def convs(dilations):
            return nn.ModuleList(
                nn.Conv1d(channels, channels, size, dilation=d, padding=size // 2 * d)
                for d in dilations
            )

        if kind == 1:
            self.convs1, self.convs2 = convs(dilations), convs([1] * len(dilations))
        else:
            self.convs = convs(dilations)

    def forward(self, x):
        if self.kind == 2:
            for conv in self.convs:
                x = x + conv(leaky_relu(x, 0.1))
            return x
        for first, second in zip(self.convs1, self.convs2):
            x = x + second(leaky_relu(first(leaky_relu(x, 0.1)), 0.1))
        return x


class Decoder(nn.Module):
    def __init__(self, kind, scales, several):
        super().__init__()
        channels = 16
        self.conv_pre = nn.Conv1d(WIDTH, channels, 7, padding=3)
        if several:
            self.cond = nn.Conv1d(GLOBAL, channels, 1)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for scale in scales:
            self.ups.append(
                nn.ConvTranspose1d(
                    channels, channels // 2, 2 * scale, scale, padding=scale // 2
                )
            )
            channels //= 2
            for size, dilations in ((3, (1, 2)), (5, (2, 6))):
                self.resblocks.append(Residual(kind, channels, size, dilations))
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3, bias=False)

    def forward(self, z, g):
        x = self.conv_pre(z)
        x = x if g is None else x + self.cond(g)
        for index, up in enumerate(self.ups):
            x = up(leaky_relu(x, 0.1))
            x = sum(block(x) for block in self.resblocks[2 * index : 2 * index + 2]) / 2
        return torch.tanh(self.conv_post(leaky_relu(x)))


class Voice(nn.Module):
    """The whole voice, with the inputs of Piper's clients."""

    def __init__(
        self, blocks=2, scales=(8, 4, 2), speakers=1, symbols=len(PHONEMES) + 2
    ):
        super().__init__()
        several = speakers > 1
        self.enc_p, self.dp = TextEncoder(symbols), DurationPredictor(several)
        self.flow, self.dec = Flow(several), Decoder(blocks, scales, several)
        if several:
            self.emb_g = nn.Embedding(speakers, GLOBAL)

    def forward(self, input, input_lengths, scales, sid=None):
        g = None if sid is None else self.emb_g(sid).unsqueeze(-1)
        x, mean, log_scale = self.enc_p(input)
        noise = torch.randn(1, 2, input.size(1)) * scales[2]
        mask = (torch.arange(input.size(1)) < input_lengths).float()
        durations = (self.dp(x, g, noise).exp() * mask * scales[1]).ceil()[0, 0]
        ends = durations.cumsum(0)
        frames = torch.arange(ends[-1])
        index = (frames[:, None] >= ends[None]).sum(1)
        mean, log_scale = mean[:, :, index], log_scale[:, :, index]
        z = mean + torch.randn_like(mean) * log_scale.exp() * scales[0]
        return self.dec(self.flow(z, g), g)


def make_piper(folder: Path, seed: int = 0, **structure) -> Path:
    """Export a voice with its JSON; return the path of the `.onnx`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    voice = Voice(**structure).eval()
    for name, parameter in voice.named_parameters():
        if parameter.dim() > 1 and "emb" not in name and ".flows.0." not in name:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    speakers = structure.get("speakers", 1)
    ids = torch.arange(2, 9)[None]
    inputs = [ids, torch.tensor([7]), torch.tensor([0.0, 1.0, 0.0])]
    names = ["input", "input_lengths", "scales"]
    if speakers > 1:
        inputs.append(torch.tensor([1]))
        names.append("sid")
    path = folder / "voice.onnx"
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            voice,
            tuple(inputs),
            str(path),
            opset_version=15,
            input_names=names,
            output_names=["output"],
            dynamic_axes={"input": {1: "phonemes"}, "output": {2: "time"}},
            dynamo=False,
        )
    settings = {
        "audio": {"sample_rate": RATE, "quality": "medium"},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.5, "length_scale": 1.2, "noise_w": 0.6},
        "phoneme_type": "espeak",
        "phoneme_id_map": {symbol: [id] for id, symbol in enumerate(PHONEMES)},
        "num_symbols": len(PHONEMES) + 2,
        "num_speakers": speakers,
        "speaker_id_map": {f"s{n}": n for n in range(speakers)} if speakers > 1 else {},
    }
    Path(f"{path}.json").write_text(json.dumps(settings))
    return path
