"""Synthesis with ESPnet's text-to-waveform models: VITS, JETS, JointText2Wav."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from espnet2.gan_tts.jets import JETS
from espnet2.gan_tts.joint import JointText2Wav
from espnet2.gan_tts.vits import VITS
from espnet2.tts.abs_tts import AbsTTS
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.errors import ConfigError

# The module whose first argument (B, C, T) are the latents, by class.
DECODERS = {
    VITS: "generator.decoder",
    JETS: "generator.generator",
    JointText2Wav: "generator.vocoder",
}


MODELS = tuple(DECODERS)


CONDITION_LATENTS = 16  # channels for the global conditioning among latents


@dataclass(frozen=True)
class Synthesis:
    """What a text-to-waveform model synthesizes for a sentence of N tokens.

    Attributes:
        waveform: Samples (T * hop length,); None if the decoder has not run.
        durations: Frames a token (N,), integers whose sum is T; (N + 1,) with the end
            of sentence that JointText2Wav and imported voices append.
        latents: The input of the waveform decoder (T, C): z of VITS, the output of the
            frame decoder of JETS, the normalized mel of JointText2Wav.
        condition: The waveform decoder's global conditioning (G,); None without one.
    """

    waveform: torch.Tensor | None
    durations: torch.Tensor
    latents: torch.Tensor
    condition: torch.Tensor | None

    def append_condition(self) -> "Synthesis":
        """Return latents that include the conditioning, for a decoder without one.

        Each frame gets the same CONDITION_LATENTS channels, or G if these are fewer: a
        random projection of the conditioning, which keeps the distances of speakers
        (Johnson and Lindenstrauss, 1984) and is the same in every job.
        """
        size, kept = len(self.condition), CONDITION_LATENTS
        matrix = np.random.default_rng(0).standard_normal((size, kept)) / kept**0.5
        matrix = matrix if size > kept else np.eye(size)
        projected = self.condition @ torch.as_tensor(matrix).to(self.condition)
        constant = projected.expand(len(self.latents), -1)
        return replace(
            self, latents=torch.cat([self.latents, constant], 1), condition=None
        )


def is_text_to_wave(tts: AbsTTS | type[AbsTTS]) -> bool:
    """Return True for a model, or a class, that synthesizes waveforms from text."""
    kind = tts if isinstance(tts, type) else type(tts)
    return issubclass(kind, MODELS)


@torch.no_grad()
def synthesize(
    model: ESPnetTTSModel,
    ids: torch.Tensor,
    noise_scale: float = 0.333,
    noise_scale_dur: float = 0.0,
    sid: int | None = None,
    lid: int | None = None,
    spembs: torch.Tensor | None = None,
    decode: bool = True,
) -> Synthesis:
    """Synthesize a sentence as the model's `inference` does.

    Args:
        model: A model in eval mode whose `tts` is a class of MODELS.
        ids: Token ids (N,).
        noise_scale: Factor of the latents' noise; only VITS has noise.
        noise_scale_dur: Factor of the duration predictor's noise.
        sid: Id of the speaker, for a model with speaker ids.
        lid: Id of the language, for a model with language ids.
        spembs: Speaker embedding (D,), for a model that takes one.
        decode: Whether the waveform decoder, which takes most of the time, is to run.

    Raises:
        ConfigError: The model is of another class, lacks its speaker or language, or
            predicts no durations; or there are no tokens.
    """
    tts = model.tts
    inputs = {"text": ids, **_conditions(tts, ids, sid, lid, spembs)}
    if not len(ids):
        raise ConfigError("text: has no tokens; leave out the sentence")
    if isinstance(tts, VITS):
        inputs |= {"noise_scale": noise_scale, "noise_scale_dur": noise_scale_dur}
    with DecoderInput(tts, decode) as decoder_input:
        output = tts.inference(**inputs)
    if output.get("duration") is None:
        raise ConfigError(
            f"tts: {type(tts).__name__}: its text2mel part predicts no durations; name "
            "a model with FastSpeech or FastSpeech2"
        )
    latents, condition = decoder_input.latents, decoder_input.condition
    return Synthesis(
        waveform=output["wav"].reshape(-1) if decode else None,
        durations=output["duration"].reshape(-1).long(),
        latents=output["feat_gen"] if latents is None else latents[0].t(),
        condition=None if condition is None else condition.reshape(-1),
    )


def _conditions(tts: AbsTTS, ids, sid, lid, spembs) -> dict[str, torch.Tensor]:
    """Return the inputs that tell speakers and languages apart.

    Raises:
        ConfigError: The model is no text-to-waveform model, requires an input that is
            None, does not take one that is given, or an id is out of range.
    """
    if not is_text_to_wave(tts):
        names = ", ".join(kind.__name__ for kind in MODELS)
        raise ConfigError(
            f"tts: {type(tts).__name__}: synthesizes no waveform; classes that do are "
            f"{names}"
        )
    if getattr(tts, "use_gst", False):
        raise ConfigError(
            "tts_conf: use_gst: style tokens require a reference recording; name a "
            "model without them"
        )
    counts = {"sids": (sid, tts.spks), "lids": (lid, tts.langs)}
    inputs = {}
    for name, (value, count) in counts.items():
        _require_given(name, value, count)
        if count:
            if not 0 <= value < count:
                raise ConfigError(f"{name}: {value}: the model has 0 to {count - 1}")
            inputs[name] = torch.tensor([value], device=ids.device)
    _require_given("spembs", spembs, tts.spk_embed_dim)
    if tts.spk_embed_dim:
        if tuple(spembs.shape) != (tts.spk_embed_dim,):
            raise ConfigError(
                f"spembs: shape {tuple(spembs.shape)}: the model takes "
                f"{tts.spk_embed_dim} values"
            )
        if not spembs.isfinite().all():
            raise ConfigError("spembs: NaN or infinity; extract the embedding again")
        inputs["spembs"] = spembs.to(ids.device)
    return inputs


def _require_given(name: str, value, size: int | None) -> None:
    """Raise a ConfigError unless a value is given if and only if the model takes it."""
    if size and value is None:
        raise ConfigError(f"{name}: missing; the model has {size} of them: name one")
    if not size and value is not None:
        raise ConfigError(f"{name}: the model takes none; leave it out")


def decoder_of(tts: AbsTTS) -> torch.nn.Module:
    """Return the waveform decoder of a model of a class in MODELS."""
    if isinstance(tts, JointText2Wav):
        return tts.generator["vocoder"]
    path = next(path for kind, path in DECODERS.items() if isinstance(tts, kind))
    return tts.get_submodule(path)


class DecoderInput:
    """Records what a model's waveform decoder is given, within a context.

    Args:
        tts: The model.
        decode: Whether the decoder computes its output, instead of zeros.

    Attributes:
        latents: (B, C, T); None for JointText2Wav, which outputs them.
        condition: Global conditioning (B, G, 1), or None.
    """

    def __init__(self, tts: AbsTTS, decode: bool = True):
        self.latents = self.condition = None
        self._decoders = [] if isinstance(tts, JointText2Wav) else [decoder_of(tts)]
        self._replaced = [] if decode else self._decoders

    def __enter__(self) -> "DecoderInput":
        self._handles = [
            decoder.register_forward_pre_hook(self._record, with_kwargs=True)
            for decoder in self._decoders
        ]
        for decoder in self._replaced:
            decoder.forward = _zeros
        return self

    def __exit__(self, *_) -> None:
        for handle in self._handles:
            handle.remove()
        for decoder in self._replaced:
            del decoder.forward

    def _record(self, module, args, kwargs) -> None:
        self.latents, self.condition = args[0], kwargs.get("g")


def _zeros(latents: torch.Tensor, *_, **__) -> torch.Tensor:
    """Return the output (B, 1, T) of a decoder that does not run."""
    return latents.new_zeros(len(latents), 1, latents.size(2))
