"""Settings of a voice: voice.onnx.json, and the metadata of its graph."""

from dataclasses import asdict

from espnet_distill.data.front_end import FrontEnd
from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.onnx_export.graph import NOISE_SCALE
from espnet_distill.onnx_export.phoneme_ids import PhonemeIds
from espnet_distill.onnx_export.speakers import Speakers
from espnet_distill.vocoders.latents import LatentSpec
from espnet_distill.voice.punctuation import MARKS

INFERENCE = {"noise_scale": NOISE_SCALE, "length_scale": 1.0, "noise_w": 0.8}


def piper_settings(
    symbols: PhonemeIds, mels: MelSpec | LatentSpec, speakers: Speakers
) -> dict:
    """Return the keys that Piper reads; `mels` have sampling rate and hop length."""
    return {
        "audio": {"sample_rate": mels.fs},
        "espeak": {"voice": symbols.voice or ""},
        "phoneme_type": symbols.kind,
        "phoneme_id_map": {symbol: [id] for symbol, id in symbols.ids.items()},
        "num_symbols": max(symbols.ids.values()) + 1,
        "num_speakers": speakers.count,
        "speaker_id_map": speakers.ids,
        "inference": INFERENCE,
        "hop_length": mels.hop_length,
    }


def front_end_settings(front_end: FrontEnd) -> dict[str, str | None]:
    """Return the front end without the voice, which Piper's keys have."""
    return {key: value for key, value in asdict(front_end).items() if key != "voice"}


def graph_metadata(
    symbols: PhonemeIds, front_end: FrontEnd, rate: int, speakers: int, version: int
) -> dict[str, str]:
    """Return what sherpa-onnx reads from a graph of Piper's kind."""
    values = {
        "model_type": "vits",
        "comment": "piper",
        "language": front_end.language or symbols.voice or "unknown",
        "voice": symbols.voice or "",
        "has_espeak": int(symbols.kind == "espeak"),
        "n_speakers": speakers,
        "sample_rate": rate,
        "version": version,
        "punctuation": " ".join(mark for mark in MARKS if mark in symbols.ids),
    }
    return {key: str(value) for key, value in values.items()}
