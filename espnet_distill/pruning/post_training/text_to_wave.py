"""Low-rank factorization of VITS: its calibration data, and what it changes.

Nearly all parameters of a VITS but those of its waveform decoder are in text encoder and
flow, and nearly all of its time is the decoder's: factorization makes it small, not fast.
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml
from espnet2.gan_tts.vits import VITS

from espnet_distill.data.calibration import CALIBRATION_UTTERANCES
from espnet_distill.data.utterances import condition_reader
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.profiling.dummy_input import FRAMES_PER_TOKEN, TOKENS
from espnet_distill.profiling.speed import on_threads, round_robin
from espnet_distill.structure.statistics.calibration import Calibration
from espnet_distill.students.synthesis_only import RECORD, files_beside
from espnet_distill.teachers.dumped import identity
from espnet_distill.utils.files import read_table
from espnet_distill.utils.patching import patched
from espnet_distill.utils.validation import require_finite

FACTORIZED = ("vits", "vits_synthesizer")
PARTS = ("generator.text_encoder.", "generator.flow.")
COMPARED = "waveform without noise, at the durations of the original"
STILL = {"noise_scale": 0.0, "noise_scale_dur": 0.0}

Sentence = dict[str, torch.Tensor]  # arguments of the generator's inference


def files_of(vits: Experiment, pressure: float) -> dict[str, str]:
    """Return the files beside a factorized model, with its record."""
    files, record = files_beside(vits)
    record |= {"factorized": identity(vits) | {"pressure": pressure}}
    return files | {RECORD: yaml.safe_dump(record, sort_keys=False)}


def calibration_of(vits: Experiment, data: Path) -> Calibration:
    """Return the syntheses of a data folder's first texts, without the decoder.

    Args:
        vits: The trained model.
        data: An ESPnet data folder with `text`, and what tells speakers and languages
            apart; recordings are not read.

    Raises:
        ConfigError: A text has no tokens, or an id or embedding is missing.
    """
    generator = vits.model.tts.generator

    def synthesize(sentence: Sentence) -> torch.Tensor:
        with patched(generator.decoder, forward=_silence), torch.random.fork_rng():
            torch.manual_seed(0)
            return generator.inference(**sentence)[0].sum()

    return Calibration(sentences_of(vits, data), synthesize)


def _silence(z: torch.Tensor, g: torch.Tensor | None = None) -> torch.Tensor:
    return torch.zeros_like(z[:, :1])


def sentences_of(vits: Experiment, data: Path) -> list[Sentence]:
    """Return the inputs of a data folder's first texts; see `calibration_of`."""
    tts, front_end = vits.model.tts, vits.front_end
    texts = read_table(data / "text")
    if not texts:
        raise ConfigError(f"{data / 'text'} is empty: name a folder with sentences")
    texts = dict(list(texts.items())[:CALIBRATION_UTTERANCES])
    conditions = condition_reader(tts, texts, data)
    sentences = []
    for utterance, text in texts.items():
        ids = front_end("", {"text": text})["text"].tolist()
        if not ids:
            raise ConfigError(
                f"{data}/text: {utterance}: {text!r} has no tokens; leave the "
                "utterance out"
            )
        sentences.append(_sentence(tts, ids, conditions(utterance)))
    return sentences


def random_sentence(tts: VITS) -> Sentence:
    """Return the inputs of one sentence of random tokens."""
    generator = torch.Generator().manual_seed(0)
    last = tts.generator.text_encoder.emb.num_embeddings - 1
    ids = torch.randint(1, last, (TOKENS,), generator=generator)
    zero = torch.zeros(1, 1, dtype=torch.long)
    conditions = {"sids": zero} if tts.spks else {}
    conditions |= {"lids": zero} if tts.langs else {}
    if tts.spk_embed_dim:
        conditions["spembs"] = torch.ones(1, tts.spk_embed_dim)
    return _sentence(tts, ids.tolist(), conditions)


def _sentence(tts: VITS, ids: list[int], conditions: Sentence) -> Sentence:
    padding = getattr(tts, "padding", None)
    text = torch.tensor([padding.pad(ids) if padding else ids])
    if "spembs" in conditions:  # which ESPnet gives an axis
        conditions = conditions | {"spembs": conditions["spembs"][0]}
    return {"text": text, "text_lengths": torch.tensor([text.size(1)]), **conditions}


@torch.no_grad()
def largest_difference(
    original: VITS, pruned: VITS, sentences: Sequence[Sentence]
) -> float:
    """Return the largest difference of two models' waveforms.

    Both synthesize without noise, at the durations of the original.

    Raises:
        ConfigError: A waveform is NaN or infinite.
    """
    most = 0.0
    for number, sentence in enumerate(sentences, 1):
        wave, _, durations = original.generator.inference(**sentence, **STILL)
        other, *_ = pruned.generator.inference(
            **sentence, **STILL, dur=durations.unsqueeze(1)
        )
        for which, samples in (("original", wave), ("pruned", other)):
            where = f"outputs of the {which} model for sentence {number}"
            require_finite({"the waveform": samples}, where, "nothing was written")
        most = max(most, (wave - other).abs().max().item())
    return most


def frames_per_second(tts: VITS) -> float:
    """Return the frames of latents per second of speech."""
    return tts.fs / tts.generator.upsample_factor


@torch.no_grad()
def seconds_a_frame(models: Sequence[VITS], repeats: int = 5) -> list[float]:
    """Return the seconds a frame of each model on one thread, (models,).

    The models alternate on a sentence of random tokens, of given durations.
    """
    sentence = random_sentence(models[0])
    durations = torch.full_like(sentence["text"], FRAMES_PER_TOKEN).unsqueeze(1)
    samples: list[list[float]] = [[] for _ in models]
    with on_threads(1):
        for _, index in round_robin(range(len(models)), 1, repeats + 1):
            start = time.perf_counter()
            models[index].generator.inference(**sentence, dur=durations.float())
            samples[index].append(time.perf_counter() - start)
    frames = durations.sum().item()
    return [statistics.median(seconds[1:]) / frames for seconds in samples]
