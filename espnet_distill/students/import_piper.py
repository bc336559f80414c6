"""Make an ESPnet experiment of a Piper voice."""

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import yaml

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.experiments.archive import CONFIG, MODEL
from espnet_distill.experiments.experiment import Experiment, build_untrained
from espnet_distill.experiments.text_frontend import UNKNOWN
from espnet_distill.students.piper_graph import read_graph
from espnet_distill.students.piper_weights import to_synthesizer
from espnet_distill.teachers.piper_padding import PiperPadding
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.files import (
    folder_written_whole,
    require_new,
    write_tensors,
    write_text,
)
from espnet_distill.voice.config import VoiceConfig, read_config
from espnet_distill.voice.phonemes import SPACE

SETTINGS = "voice.onnx.json"  # Piper's, with which text becomes tokens


def import_piper(voice: str | Path, out: str | Path) -> Experiment:
    """Write a Piper voice as an experiment, whose waveforms equal the voice's.

    Its tokens are the voice's phonemes in the order of their ids, of a text without the
    padding of Piper's clients, which the model adds: `^ _ h _ ə _ … $`.

    Args:
        voice: The `.onnx`, with its `.onnx.json` beside it.
        out: The folder to make.

    Returns:
        The experiment.

    Raises:
        ConfigError: The graph is no Piper voice, or one of an unknown structure; the
            JSON lacks a key; the two differ; or the folder exists.
    """
    voice, out = Path(voice), Path(out)
    require_new(out)
    settings = read_config(Path(f"{voice}.json"))
    graph = read_graph(voice)
    conf, arrays = to_synthesizer(graph)
    token_list = _token_list(settings, arrays, voice)
    padding = PiperPadding.of_tokens(token_list, str(settings.path))
    conf = {"sampling_rate": settings.sample_rate, **conf, "padding": list(padding)}
    config = _config(conf, token_list)
    weights = {f"tts.{name}": torch.from_numpy(array) for name, array in arrays.items()}
    _require_speakers(settings, conf, voice)
    _require_model(config, weights, voice)
    with folder_written_whole(out) as beside:
        write_tensors(beside / MODEL, weights)
        for name, content in {
            CONFIG: config,
            "distill.yaml": {"piper": _record(voice, settings)},
            "decode.yaml": _decoding(settings),
        }.items():
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
            write_text(beside / name, text)
        shutil.copyfile(settings.path, beside / SETTINGS)
        if settings.speakers:
            rows = (f"{name} {id}\n" for name, id in settings.speakers.items())
            write_text(beside / "spk2sid", "".join(rows))
    return Experiment(out)


def _token_list(settings: VoiceConfig, arrays: dict, voice: Path) -> list[str]:
    """Return the name of each id; those without a phoneme get names of their own.

    The embedding gets a row of zeros for ``<unk>`` if every id has a phoneme.
    """
    embedding = arrays["generator.text_encoder.emb.weight"]
    count = len(embedding)
    named: dict[int, str] = {}
    for phoneme, ids in settings.ids.items():
        if len(ids) != 1:
            raise ConfigError(
                f"{settings.path}: phoneme_id_map: {phoneme!r}: {len(ids)} ids; only one "
                "id a phoneme can be a token"
            )
        if ids[0] >= count:
            raise ConfigError(
                f"{settings.path}: phoneme_id_map: {phoneme!r}: id {ids[0]}, but {voice} "
                f"has {count}; name the JSON of this voice"
            )
        named.setdefault(ids[0], SPACE if phoneme == " " else phoneme)
    free = [id for id in range(count) if id not in named]
    if not free:
        free = [count]
        row = embedding[:1] * 0
        arrays["generator.text_encoder.emb.weight"] = np.concatenate([embedding, row])
    names = {id: f"<unused{id}>" for id in free} | {free[-1]: UNKNOWN} | named
    return [names[id] for id in range(max(names) + 1)]


def _require_speakers(settings: VoiceConfig, conf: Mapping, voice: Path) -> None:
    """Raise a ConfigError unless JSON and graph have the same number of speakers.

    Or if a name is none of a table, in which spaces end it.
    """
    listed = len(settings.speakers) or 1
    count = conf["generator_params"].get("spks", 1)
    if listed > count or (listed == 1) != (count == 1):
        raise ConfigError(
            f"{settings.path}: num_speakers: {listed} speakers, but {voice} has {count}; "
            "name the JSON of this voice"
        )
    for name in settings.speakers:
        if [name] != name.split():
            raise ConfigError(
                f"{settings.path}: speaker_id_map: {name!r}: has spaces, or is empty; "
                f"write {'_'.join(name.split()) or 'another name'!r} there"
            )


def _require_model(config: dict, weights: dict, voice: Path) -> None:
    """Raise a ConfigError unless the configuration describes exactly the weights."""
    try:
        build_untrained(config)[0].load_state_dict(weights)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ConfigError(
            f"{voice}: has unknown shapes ({summarize(error)}); only the structure of "
            "Piper's low, medium and high voices is known: name one of them"
        ) from error


def _config(tts_conf: Mapping, token_list: list[str]) -> dict:
    """Return an ESPnet configuration with all of its keys."""
    from espnet2.tasks.tts import TTSTask

    hop_length = math.prod(tts_conf["generator_params"]["decoder_upsample_scales"])
    defaults = vars(TTSTask.get_parser().parse_known_args([])[0])
    return defaults | {
        "tts": "vits_synthesizer",
        "tts_conf": dict(tts_conf),
        "token_list": token_list,
        "token_type": "phn",
        "feats_extract": "linear_spectrogram",
        "feats_extract_conf": {"n_fft": 4 * hop_length, "hop_length": hop_length},
        "normalize": None,
        "normalize_conf": {},
    }


def _record(voice: Path, settings: VoiceConfig) -> dict:
    return {
        "voice": str(voice),
        "voice_sha256": checksum(voice),
        "language": settings.language,
        "espeak_voice": settings.espeak_voice,
        "speakers": dict(settings.speakers),
        "scales": dict(settings.scales),
    }


def _decoding(settings: VoiceConfig) -> dict:
    """Return the options of ESPnet's `tts_inference` that Piper's clients apply."""
    return {
        "noise_scale": settings.scales["noise_scale"],
        "noise_scale_dur": settings.scales["noise_w"],
        "speed_control_alpha": settings.scales["length_scale"],
    }
