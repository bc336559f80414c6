"""Taps of ESPnet's models: named tensors, recorded by hooks."""

import inspect

import torch
from espnet2.tts.abs_tts import AbsTTS
from espnet2.tts.espnet_model import ESPnetTTSModel
from espnet2.tts.fastspeech import FastSpeech
from espnet2.tts.fastspeech2 import FastSpeech2
from espnet2.tts.prodiff import ProDiff
from espnet2.tts.tacotron2 import Tacotron2
from espnet2.tts.transformer import Transformer

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.errors import ConfigError, near_names, suggest
from espnet_distill.objectives.base import Taps

# Names of the values that `_forward` returns, in order.
OUTPUTS = {
    FastSpeech2: ("mel_before", "mel_after", "duration", "pitch", "energy"),
    FastSpeech: ("mel_before", "mel_after", "duration"),
    ProDiff: ("mel_before", "mel_after", "duration", "pitch", "energy"),
    Tacotron2: ("mel_after", "mel_before", "stop", "attention"),
    Transformer: ("mel_after", "mel_before", "stop"),
}


# Modules of the hidden taps.
MODULES = {
    FastSpeech2: {"encoder": "encoder", "decoder": "decoder"},
    FastSpeech: {"encoder": "encoder", "decoder": "decoder"},
    ProDiff: {"encoder": "encoder"},
    Tacotron2: {"encoder": "enc"},
    Transformer: {"encoder": "encoder", "decoder": "decoder"},
}


# The unit of a tap's second axis: a decoder step has `reduction_factor` frames.
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
    """Return the class of OUTPUTS that a model, or a class, is or inherits from."""
    kind = tts if isinstance(tts, type) else type(tts)
    for known in OUTPUTS:
        if issubclass(kind, known):
            return known
    names = ", ".join(known.__name__ for known in OUTPUTS)
    raise ConfigError(f"tts: {kind.__name__} has no taps; models that have are {names}")


def class_of(tts, where) -> type[AbsTTS]:
    """Return the class that a configuration's `tts` names.

    Raises:
        ConfigError: A name that neither ESPnet nor this package registers.
    """
    from espnet2.tasks.tts import tts_choices  # may import the plugin's task

    known = tts_choices.classes
    if str(tts).lower() not in known:
        raise ConfigError(f"{where}: tts: no {tts!r}; {suggest(tts, known)}")
    return known[str(tts).lower()]


def require_taps(tts, where) -> type[AbsTTS]:
    """Return the class that a configuration's `tts` names, if it has taps.

    This refuses a model without taps before its weights are loaded.

    Raises:
        ConfigError: A class without taps, or an unknown name.
    """
    kind = class_of(tts, where)
    try:
        family(kind)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    return kind


class TapRecorder:
    """Records the taps of a model in each forward pass, with gradients if enabled."""

    def __init__(
        self, tts: AbsTTS, modules: tuple[str, ...] = (), by_durations: bool = False
    ):
        """Register the hooks in `tts`.

        Args:
            tts: A model of a class in OUTPUTS.
            modules: Names of taps to record besides the model's outputs.
            by_durations: Construct the attention of a model without one from its
                durations.

        Raises:
            ConfigError: A name that is no module of the model.
        """
        self.outputs = OUTPUTS[family(tts)]
        self.reduction_factor = getattr(tts, "reduction_factor", 1)
        self.hidden: dict[str, torch.Tensor] = {}
        self.levels = dict(LEVELS)
        self.taps = Taps()
        self.truth: torch.Tensor | None = None  # target mel of the model
        self._handles = []
        for name in set(modules) - set(LEVELS):
            self._hook(tts, name)
        self._heads = _attention_heads(tts) if "attention" in modules else []
        self._by_durations = by_durations and "attention" in modules
        self._signature = inspect.signature(type(tts)._forward)
        self._tts, self._forward = tts, tts._forward
        tts._forward = self._recording(tts._forward)

    def remove(self) -> None:
        """Remove the hooks; valid if no other recorder was attached later."""
        self._tts._forward = self._forward
        for handle in self._handles:
            handle.remove()

    def _hook(self, tts: AbsTTS, name: str) -> None:
        path = MODULES[family(tts)].get(name, name)
        modules = dict(tts.named_modules())
        if path not in modules:
            names = [*MODULES[family(tts)], *filter(None, modules)]
            candidates = near_names(name, names, most=5, cutoff=0.4)
            raise ConfigError(
                f"tap {name!r}: no such module in {type(tts).__name__}; "
                f"near: {', '.join(candidates) or ', '.join(MODULES[family(tts)])}"
            )

        def store(module, args, output):
            while isinstance(output, tuple):  # (x, mask) or ((x, pos_emb), mask)
                output = output[0]
            self.hidden[name] = output

        self._handles.append(modules[path].register_forward_hook(store))

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
                    tensors["attention"] = _hard_attention(arguments["ds"])
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
    """Return the modules of the attention to the text, if `_forward` returns none."""
    if not isinstance(tts, Transformer):
        return []
    return [layer.src_attn for layer in tts.decoder.decoders]


def _hard_attention(durations: torch.Tensor) -> torch.Tensor:
    """Return the hard attention (B, frames, tokens) of durations (B, tokens)."""
    ends = durations.cumsum(1).unsqueeze(1)
    frames = torch.arange(int(ends.max()), device=durations.device).view(1, -1, 1)
    return ((frames < ends) & (frames >= ends - durations.unsqueeze(1))).float()


def _level(name: str, tensor, lengths: dict[str, torch.Tensor]) -> str | None:
    """Return the unit of a tap's second axis, inferred from its length."""
    for level, values in lengths.items():
        if tensor.dim() == 3 and tensor.size(1) == values.max():
            return level
    raise ConfigError(
        f"tap {name!r}: its output {tuple(tensor.shape)} runs along neither "
        "tokens nor frames; choose another module"
    )


def probe(tts: AbsTTS, recorder: TapRecorder) -> Taps:
    """Run a model on one dummy sentence and return its taps.

    The model's mode, its gradients and the random state are unchanged.
    """
    was_training = tts.training
    with torch.no_grad(), torch.random.fork_rng():
        tts.eval()
        tts(**dummy_batch(tts))
        tts.train(was_training)
    return recorder.taps


def taps_of(
    model: ESPnetTTSModel, names: tuple[str, ...], by_durations: bool = False
) -> Taps:
    """Return a model's outputs and the named taps of one dummy sentence.

    Raises:
        ConfigError: A name that is no tap of the model.
    """
    recorder = TapRecorder(model.tts, names, by_durations)
    try:
        return probe(model.tts, recorder)
    finally:
        recorder.remove()


def focus_rate(
    attention: torch.Tensor, steps: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Return the focus rate (B, H): the mean over steps of the largest weight.

    FastSpeech (Ren et al. 2019, arXiv:1905.09263, section 3.2) selects the head that
    aligns text and speech by it.

    Args:
        attention: Weights (B, H, T, T_text) that sum to 1 over the text.
        steps: Decoder steps (B,).
        tokens: Tokens (B,).
    """
    positions = torch.arange(attention.size(3), device=attention.device)
    padding = positions >= tokens.unsqueeze(1)
    largest = attention.masked_fill(padding[:, None, None], 0).amax(3)
    decoder_steps = torch.arange(attention.size(2), device=attention.device)
    after_end = decoder_steps >= steps.unsqueeze(1)
    return largest.masked_fill(after_end[:, None], 0).sum(2) / steps.unsqueeze(1)


def most_focused(
    attention: torch.Tensor, steps: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Return the head (B, T, T_text) of the highest focus rate of each utterance."""
    best = focus_rate(attention, steps, tokens).argmax(1)
    return attention[torch.arange(len(attention), device=best.device), best]
