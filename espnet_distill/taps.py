"""Taps: the named tensors of a text-to-mel model that can be matched.

`mel_before`, `mel_after`, `duration` (log-domain), `pitch`, `energy`, `stop` and
`attention` are what a model's forward pass returns; `encoder` and `decoder` are hidden
representations; the dotted name of any other module below `tts` (for instance
`encoder.encoders.1`) taps that module's output. A model that is given durations attends
to the token that they name.
"""

import difflib
import inspect

import torch
from espnet2.tasks.tts import tts_choices
from espnet2.tts.abs_tts import AbsTTS
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.prodiff import ProDiff
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer

from espnet_distill.errors import ConfigError, near
from espnet_distill.focus import most_focused
from espnet_distill.objectives.base import Taps

# What `_forward` returns, in order, and the modules behind the hidden taps.
OUTPUTS = {
    FastSpeech2: ("mel_before", "mel_after", "duration", "pitch", "energy"),
    FastSpeech: ("mel_before", "mel_after", "duration"),
    ProDiff: ("mel_before", "mel_after", "duration", "pitch", "energy"),
    Tacotron2: ("mel_after", "mel_before", "stop", "attention"),
    Transformer: ("mel_after", "mel_before", "stop"),
}
MODULES = {
    FastSpeech2: {"encoder": "encoder", "decoder": "decoder"},
    FastSpeech: {"encoder": "encoder", "decoder": "decoder"},
    ProDiff: {"encoder": "encoder"},
    Tacotron2: {"encoder": "enc"},
    Transformer: {"encoder": "encoder", "decoder": "decoder"},
}
LEVELS = {
    "mel_before": "frame",
    "mel_after": "frame",
    "stop": "frame",
    "duration": "token",
    "pitch": "token",
    "energy": "token",
    "attention": "step",
}


def family(tts: AbsTTS | type[AbsTTS]) -> type[AbsTTS]:
    """Return the class under which the taps of a model, or of a class, are known."""
    kind = tts if isinstance(tts, type) else type(tts)
    for known in OUTPUTS:
        if issubclass(kind, known):
            return known
    names = ", ".join(known.__name__ for known in OUTPUTS)
    raise ConfigError(
        f"tts: {kind.__name__} has no taps; models that have are {names}"
    )


def class_of(tts, where) -> type[AbsTTS]:
    """Return the class that a configuration's `tts` names.

    Raises:
        ConfigError: A name that is none of ESPnet's or of this package's.
    """
    known = tts_choices.classes
    if str(tts).lower() not in known:
        raise ConfigError(f"{where}: tts: no {tts!r}; {near(tts, known)}")
    return known[str(tts).lower()]


def require_taps(tts, where) -> type[AbsTTS]:
    """Return the class that a configuration's `tts` names, if it has taps.

    So a model that has none is refused before its weights are loaded.

    Raises:
        ConfigError: It has none, or the name is none.
    """
    kind = class_of(tts, where)
    try:
        family(kind)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return kind


class TapRecorder:
    """Records a model's taps each time it runs, with gradients if it runs with them."""

    def __init__(
        self, tts: AbsTTS, modules: tuple[str, ...] = (), by_durations: bool = False
    ):
        """Hook into `tts`.

        Args:
            tts: A model of a known family.
            modules: Names of taps to record besides what the model returns.
            by_durations: Make the attention of a model without any from its durations.

        Raises:
            ConfigError: A name that is no module of the model.
        """
        self.outputs = OUTPUTS[family(tts)]
        self.reduction_factor = getattr(tts, "reduction_factor", 1)
        self.hidden: dict[str, torch.Tensor] = {}
        self.levels = dict(LEVELS)
        self.taps = Taps()
        self.truth: torch.Tensor | None = None  # the mel that it was to predict
        self._handles = []
        for name in set(modules) - set(LEVELS):
            self._hook(tts, name)
        self._heads = _attention_heads(tts) if "attention" in modules else []
        self._by_durations = by_durations and "attention" in modules
        self._signature = inspect.signature(type(tts)._forward)
        self._tts, self._forward = tts, tts._forward
        tts._forward = self._recording(tts._forward)

    def remove(self) -> None:
        """Leave the model as it was, where no other recorder has come since."""
        self._tts._forward = self._forward
        for handle in self._handles:
            handle.remove()

    def _hook(self, tts: AbsTTS, name: str) -> None:
        path = MODULES[family(tts)].get(name, name)
        modules = dict(tts.named_modules())
        if path not in modules:
            names = [*MODULES[family(tts)], *filter(None, modules)]
            near = difflib.get_close_matches(name, names, n=5, cutoff=0.4)
            raise ConfigError(
                f"tap {name!r}: no such module in {type(tts).__name__}; "
                f"near: {', '.join(near) or ', '.join(MODULES[family(tts)])}"
            )

        def keep(module, args, output):
            while isinstance(output, tuple):  # (x, mask) or ((x, pos_emb), mask)
                output = output[0]
            self.hidden[name] = output

        self._handles.append(modules[path].register_forward_hook(keep))

    def _recording(self, forward):
        def run(*args, **kwargs):
            self.hidden.clear()
            outputs = forward(*args, **kwargs)
            arguments = self._signature.bind(None, *args, **kwargs).arguments
            if "olens" in arguments:  # not in FastSpeech2's inference
                tensors = dict(zip(self.outputs, outputs)) | self.hidden
                if self._heads:
                    tensors["attention"] = torch.cat(
                        [module.attn for module in self._heads], dim=1
                    )
                elif self._by_durations and "ds" in arguments:
                    tensors["attention"] = _path(arguments["ds"])
                self._store(tensors, arguments["ilens"], arguments["olens"])
                self.truth = arguments["ys"]
            return outputs

        return run

    def _store(self, tensors, tokens, frames) -> None:
        steps = torch.div(frames, self.reduction_factor, rounding_mode="floor")
        lengths = {
            "token": tokens,
            "step": steps,
            "frame": steps * self.reduction_factor,
        }
        self.taps = Taps(tensors)
        for name, tensor in tensors.items():
            if name not in self.levels:
                self.levels[name] = _level(name, tensor, lengths)
            self.taps.lengths[name] = lengths[self.levels[name]]
        if "attention" in tensors:
            self.taps.lengths["attention_tokens"] = tokens
            if self._heads:
                tensors["attention"] = most_focused(tensors["attention"], steps, tokens)


def _attention_heads(tts: AbsTTS) -> list[torch.nn.Module]:
    """Return the modules that attend to the text, where `_forward` does not say."""
    if not isinstance(tts, Transformer):
        return []
    return [layer.src_attn for layer in tts.decoder.decoders]


def _path(durations: torch.Tensor) -> torch.Tensor:
    """Return the attention (B, frames, tokens) to the token whose frame it is."""
    ends = durations.cumsum(1).unsqueeze(1)
    frames = torch.arange(int(ends.max()), device=durations.device).view(1, -1, 1)
    return ((frames < ends) & (frames >= ends - durations.unsqueeze(1))).float()


def _level(name: str, tensor, lengths: dict[str, torch.Tensor]) -> str | None:
    """Tell by its length what a tap's second axis counts."""
    for level, values in lengths.items():
        if tensor.dim() == 3 and tensor.size(1) == values.max():
            return level
    raise ConfigError(
        f"tap {name!r}: its output {tuple(tensor.shape)} runs along neither "
        "tokens nor frames; choose another module"
    )


def probe(tts: AbsTTS, recorder: TapRecorder) -> Taps:
    """Run a model once on one tiny made-up sentence and return its taps.

    The model's mode, gradients and the random state are left as they were.
    """
    was_training = tts.training
    with torch.no_grad(), torch.random.fork_rng():
        tts.eval()
        tts(**made_up_sentence(tts))
        tts.train(was_training)
    return recorder.taps


def made_up_sentence(
    tts: AbsTTS, tokens: int = 4, steps_per_token: int = 12
) -> dict[str, torch.Tensor]:
    """Return a batch of one sentence for a model's forward pass.

    The default lengths are such that tokens, decoder steps and frames cannot be
    confused.
    """
    counted = tokens + 1  # with the end-of-sentence token
    frames = counted * steps_per_token * getattr(tts, "reduction_factor", 1)
    parameter = next(tts.parameters())

    def integers(*shape):
        return torch.ones(shape, dtype=torch.long, device=parameter.device)

    def floats(*shape):
        return torch.zeros(shape, dtype=parameter.dtype, device=parameter.device)

    batch = {
        "text": integers(1, tokens),
        "text_lengths": integers(1) * tokens,
        "feats": floats(1, frames, tts.odim),
        "feats_lengths": integers(1) * frames,
        "durations": integers(1, counted) * steps_per_token,
        "durations_lengths": integers(1) * counted,
        "pitch": floats(1, counted, 1),
        "pitch_lengths": integers(1) * counted,
        "energy": floats(1, counted, 1),
        "energy_lengths": integers(1) * counted,
    }
    if getattr(tts, "spk_embed_dim", None):
        batch["spembs"] = floats(1, tts.spk_embed_dim) + 1
    if getattr(tts, "spks", None):
        batch["sids"] = integers(1, 1) * 0
    if getattr(tts, "langs", None):
        batch["lids"] = integers(1, 1) * 0
    wanted = inspect.signature(tts.forward).parameters
    return {name: value for name, value in batch.items() if name in wanted}
