"""Build the graph and the settings of a voice."""

from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from espnet2.layers.global_mvn import GlobalMVN

import espnet_distill
from espnet_distill.data.front_end import FrontEnd
from espnet_distill.data.mel_spec import MelSpec, require_extractor
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.pruning.post_training.live_units import LiveUnits
from espnet_distill.structure.zero_units import find_zero_layers, measure_sparsity
from espnet_distill.students.infer_config import ConfigSpace
from espnet_distill.utils.checksums import checksum, checksum_of
from espnet_distill.utils.files import read_table
from espnet_distill.vocoders.build import build_vocoder, is_none
from espnet_distill.vocoders.checkpoint_formats import files_of, find_checkpoint
from espnet_distill.voice.espeak import load_espeak
from espnet_distill.voices.acoustic import MODULES
from espnet_distill.voices.equality import (
    choose_gain,
    measure_loss,
    require_equal,
    synthesize_references,
)
from espnet_distill.voices.graph import NOISE_SCALE, VoiceGraph, trace
from espnet_distill.voices.phoneme_ids import PhonemeIds, padded, phoneme_ids
from espnet_distill.voices.storage import compact_names, store
from espnet_distill.voices.vocoders.registry import Vocoder
from espnet_distill.voices.voice import FORMAT_VERSION, session

FEW = 0.01  # sparsity that a model may have without being pruned


@dataclass(frozen=True)
class Built:
    """A voice before it is written.

    Attributes:
        experiment: The text-to-mel model.
        graph: Content of voice.onnx.
        settings: Content of voice.onnx.json, without the files.
        front_end: The model's.
    """

    experiment: Experiment
    graph: bytes
    settings: dict
    front_end: FrontEnd

    def tokens_of(self, sentence: str) -> list[int]:
        """Return the token ids of a sentence, by ESPnet's front end.

        Raises:
            ConfigError: The model has no front end, or the sentence no tokens.
        """
        if self.experiment.front_end is None:
            raise ConfigError("--sample: the model takes token ids; leave it out")
        text = self.front_end.prepare(sentence)
        tokens = self.experiment.front_end("sample", {"text": text})["text"].tolist()
        if not tokens:
            raise ConfigError(
                f"--sample: {sentence!r}: nothing to synthesize; give words"
            )
        return tokens


def build_voice(
    experiment: Experiment,
    vocoder: str | Path | None,
    *,
    weights: str,
    data: Path | None,
    espeak_voice: str | None,
    speakers: Path | None,
    language_id: int | None,
) -> Built:
    """Build a voice; see `export` for arguments and errors."""
    kind = require_supported(experiment)
    if espeak_voice:
        load_espeak().require_voice(espeak_voice)
    if is_none(vocoder):
        raise ConfigError(
            "--vocoder: none: Griffin-Lim cannot be exported; name a vocoder's "
            "checkpoint or experiment folder"
        )
    vocoder_file = find_checkpoint(str(vocoder), "--vocoder")
    front_end = FrontEnd.of(experiment.config, data)
    tokens = experiment.config["token_list"]
    symbols = phoneme_ids(tokens, front_end, espeak_voice, str(experiment))
    require_extractor(experiment.config, str(experiment))
    model = experiment.model
    require_compacted(experiment)
    loaded = build_vocoder(vocoder_file, model=model)
    conditions = _conditions(model.tts, language_id, experiment)
    references = synthesize_references(model, loaded, symbols.tokens, conditions)
    gain = choose_gain(references)
    graph = VoiceGraph(
        kind(experiment.build().tts, language_id),
        Vocoder(loaded, vocoder_file),
        _statistics(model, experiment),
        len(tokens),
        symbols.dropped,
        gain,
    )
    count = model.tts.spks or 1
    exact = onnx.load_from_string(trace(graph, padded(references[0].tokens), count))
    exact_session = session(exact.SerializeToString())
    equality = {"wave": require_equal(exact_session, references, gain, experiment)}
    stored = store(exact, weights, _tables(graph))
    compact_names(stored)
    mels = MelSpec.of_extractor(model.feats_extract)
    _add_metadata(stored, symbols, front_end, mels.fs, count)
    content = stored.SerializeToString()
    if weights != "fp32":
        loss = measure_loss(
            session(content), exact_session, references, model.feats_extract
        )
        equality |= {"mel": loss.mel, "frames": loss.frames}
    settings = {
        **_piper_settings(symbols, mels, count, speakers),
        "format_version": FORMAT_VERSION,
        "weights": weights,
        "gain": gain,
        "equality": equality,
        "front_end": {
            "token_type": front_end.token_type,
            "g2p": front_end.g2p,
            "cleaner": front_end.cleaner,
            "language": front_end.language,
        },
        "made_from": {
            "tts": experiment.config["tts"],
            "parameters": _count(model.tts),
            **experiment.identity,
            "vocoder": type(loaded.generator).__name__,
            "vocoder_parameters": _count(loaded),
            "vocoder_files": checksum_of(map(checksum, files_of(vocoder_file))),
        },
        "warnings": list(symbols.warnings),
    }
    return Built(experiment, content, settings, front_end)


def require_supported(experiment: Experiment):
    """Return the inference module of an experiment's model.

    Raises:
        ConfigError: A model that cannot be exported.
    """
    from espnet2.tasks.tts import tts_choices

    espnet_distill.register()
    name, conf = experiment.config["tts"], experiment.config.get("tts_conf") or {}
    kind = tts_choices.classes.get(name)
    for base, module in MODULES.items():
        if isinstance(kind, type) and issubclass(kind, base):
            break
    else:
        raise ConfigError(
            f"{experiment}: tts: {name} cannot be exported; fastspeech2, fastspeech and "
            "this package's variants of them can"
        )
    for key, what in {"use_gst": "style tokens", "spk_embed_dim": "x-vectors"}.items():
        if conf.get(key):
            raise ConfigError(
                f"{experiment}: tts_conf.{key}: a model of {what} takes an input that no "
                "client has; train one with speaker ids"
            )
    return module


def require_compacted(experiment: Experiment) -> None:
    """Raise a ConfigError if a model has masked structure."""
    tts = experiment.model.tts
    if measure_sparsity(tts) < FEW:
        return
    name, conf = experiment.config["tts"], experiment.config["tts_conf"]
    live = LiveUnits(tts, ConfigSpace(name, conf, tts.idim, tts.odim))
    if any(find_zero_layers(tts).values()) or any(
        zero.any() for _, zero in live.groups
    ):
        raise ConfigError(
            f"{experiment.checkpoint}: has masked units; run espnet-distill compact "
            "first, and export its result"
        )


def _conditions(tts, language_id: int | None, where) -> dict[str, torch.Tensor]:
    """Return the first speaker and the language, for models that take them."""
    conditions = {}
    if tts.spks is not None:
        conditions["sids"] = torch.tensor([0])
    if tts.langs is not None:
        if language_id is None or not 0 <= language_id < tts.langs:
            raise ConfigError(
                f"{where}: tts_conf.langs: a voice has one of its {tts.langs} languages; "
                f"give --language-id, from 0 to {tts.langs - 1}"
            )
        conditions["lids"] = torch.tensor([language_id])
    return conditions


def _statistics(model, where) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return mean and deviation of the log-mels, None if they are not normalized."""
    normalize = model.normalize
    if normalize is None:
        return None
    if not isinstance(normalize, GlobalMVN):
        raise ConfigError(
            f"{where}: normalize: {type(normalize).__name__} has no inverse; train with "
            "global_mvn"
        )
    mean, std = normalize.mean.float(), normalize.std.float()
    return (
        mean if normalize.norm_means else torch.zeros_like(mean),
        std if normalize.norm_vars else torch.ones_like(std),
    )


def _tables(graph: VoiceGraph) -> set[str]:
    """Return the names of tensors that are computed, without the noise."""
    return {name for name, _ in graph.named_buffers() if ".noise" not in name}


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _piper_settings(
    symbols: PhonemeIds, mels: MelSpec, count: int, speakers: Path | None
) -> dict:
    """Return the keys that Piper reads."""
    return {
        "audio": {"sample_rate": mels.fs},
        "espeak": {"voice": symbols.voice or ""},
        "phoneme_type": symbols.kind,
        "phoneme_id_map": {symbol: [id] for symbol, id in symbols.ids.items()},
        "num_symbols": max(symbols.ids.values()) + 1,
        "num_speakers": count,
        "speaker_id_map": _speaker_ids(speakers, count),
        "inference": {"noise_scale": NOISE_SCALE, "length_scale": 1.0, "noise_w": 0.8},
        "hop_length": mels.hop_length,
    }


def _speaker_ids(path: Path | None, count: int) -> dict[str, int]:
    """Return name → id of several speakers; without a file, the ids are the names."""
    if count == 1:
        return {}
    if path is None:
        return {str(index): index for index in range(count)}
    ids = {}
    for name, value in read_table(path).items():
        if not value.isdecimal() or int(value) >= count:
            raise ConfigError(
                f"{path}: {name}: {value!r} is no speaker id from 0 to {count - 1}"
            )
        ids[name] = int(value)
    return ids


def _add_metadata(
    model: onnx.ModelProto,
    symbols: PhonemeIds,
    front_end: FrontEnd,
    rate: int,
    count: int,
) -> None:
    """Add what sherpa-onnx reads from a graph of Piper's kind."""
    model.producer_name = "espnet_distill"
    values = {
        "model_type": "vits",
        "comment": "piper",
        "language": front_end.language or symbols.voice or "unknown",
        "voice": symbols.voice or "",
        "has_espeak": int(symbols.kind == "espeak"),
        "n_speakers": count,
        "sample_rate": rate,
        "version": FORMAT_VERSION,
    }
    onnx.helper.set_model_props(model, {k: str(v) for k, v in values.items()})
