#!/usr/bin/env python3
"""Synthesize a set with hibari-tts from the recipe's phonemes: speech, durations, latents, F0.

    local/dump_latents.py dump/raw/train/text exp/teacher_speech/train

writes a dump as espnet_distill.bin.dump_speech and dump_f0 do. The latents are the output
of the fourth of the eight blocks of hibari's decoder, 256 channels every 12.5 ms, a
function of phonemes, durations and F0. The component of the waveform whose phases hibari
predicts is written below 2 kHz, where the vocoder predicts it. Durations are those of the
student's decoder, whose steps have two frames.
"""

import sys
import zlib
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from espnet2.text.phoneme_tokenizer import PhonemeTokenizer
from hibari import SAMPLE_RATE, Hibari
from hibari.dsp import HOP, N_FFT, ola, synth

from espnet_distill.errors import ConfigError
from espnet_distill.teachers.dump_writer import BEGUN
from espnet_distill.teachers.dumped import begin
from espnet_distill.teachers.speech_dump import SpeechFiles
from espnet_distill.utils.checksums import checksum, checksum_of
from espnet_distill.utils.files import read_table
from espnet_distill.utils.progress import progress_bar
from espnet_distill.utils.utterance_files import ARRAY
from espnet_distill.vocoders.latents import LISTS, LatentSpec, write_specification

G2P = "espeak_ng_english_us_vits"
SPECTRA = ("lh", "theta", "ln", "lr", "phi", "f0")
LATENTS = "/dec.3/Add_1_output_0"
DURATIONS = "/Clip_output_0"
FRAMES = 2  # of HOP samples, in a unit of hibari's durations
MARGIN = 2  # units of silence that stay at both ends
NOISE = 1e-4  # -80 dB; hibari's pauses are digital silence
LEAST_F0 = 40  # Hz, below all voiced frames
FREE_BINS = 2000 * N_FFT // SAMPLE_RATE + 1  # up to 2 kHz

# Tokens of espeak-ng → hibari's phonemes (those of misaki), the longest first.
PHONEMES = {
    "ʔ n ̩": "tᵊn",
    "t ʃ": "ʧ",
    "d ʒ": "ʤ",
    "e ɪ": "A",
    "a ɪ": "I",
    "o ʊ": "O",
    "a ʊ": "W",
    "ɔ ɪ": "Y",
    "ə l": "ᵊl",
    "n ̩": "ᵊn",
    "l ̩": "ᵊl",
    "ɜ ː ɹ": "ɜɹ",
    "ɜ ː": "ɜɹ",
    "o ː": "ɔ",
    "i ː": "i",
    "u ː": "u",
    "ɑ ː": "ɑ",
    "ɔ ː": "ɔ",
    "æ ː": "æ",
    "ɚ": "əɹ",
    "ɐ": "ə",
    "ɾ": "T",
    "e": "A",
    "o": "O",
    "a": "ɑ",
    "ʔ": "t",
    "ʲ": "",
    "ː": "",
    "̩": "",
    "<space>": " ",
}
LONGEST = 3


def split(tokens: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield numbers of tokens, and the phonemes of hibari that replace them."""
    start = 0
    while start < len(tokens):
        for size in range(LONGEST, 0, -1):
            group = " ".join(tokens[start : start + size])
            if group in PHONEMES or size == 1:
                yield size, PHONEMES.get(group, group)
                break
        start += size


def spread(units: int, tokens: int) -> list[int]:
    """Return durations of tokens whose sum is given, the longer ones first."""
    return [(units + tokens - 1 - n) // tokens for n in range(tokens)]


class VoiceFiles(SpeechFiles):
    """Waveforms, durations, latents, F0 and the component with free phases of one set."""

    def __init__(self, folder: Path):
        super().__init__(folder, with_latents=True)
        self.kinds |= {"f0": ARRAY, "free_phase": ARRAY}


def multiply_in_float(graph: onnx.GraphProto) -> None:
    """Replace the 8-bit products of a graph by those of its weights in float, in place.

    Products of 8-bit integers can saturate on processors without VNNI (ONNX Runtime,
    "Quantize ONNX models"), so that targets would depend on the processor.
    """
    weights = {one.name: one for one in graph.initializer}
    quantized = {
        node.output[0]: (node.input[0], node.output[1])
        for node in graph.node
        if node.op_type == "DynamicQuantizeLinear"
    }
    nodes = []
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            nodes.append(node)
            continue
        values, name, _, zero = node.input
        scaled = f"{values}_scaled"
        matrix = onnx.numpy_helper.to_array(weights[name]).astype(np.float32)
        matrix -= onnx.numpy_helper.to_array(weights[zero]).astype(np.float32)
        if values in quantized:  # the first reader of these values
            nodes.append(onnx.helper.make_node("Div", quantized.pop(values), [scaled]))
        nodes.append(onnx.helper.make_node("MatMul", [scaled, name], node.output))
        weights[name].CopyFrom(onnx.numpy_helper.from_array(matrix, name))
    del graph.node[:]
    graph.node.extend(nodes)


class Voice:
    """hibari-tts, from tokens, with durations and latents."""

    def __init__(self):
        self.hibari = Hibari()
        graph = onnx.load(self.hibari.model_path)
        computed = {name for node in graph.graph.node for name in node.output}
        for name in (LATENTS, DURATIONS):
            if name not in computed:
                sys.exit(
                    f"{self.hibari.model_path}: has no {name}; use hibari-tts 0.2.1"
                )
            graph.graph.output.append(onnx.ValueInfoProto(name=name))
        multiply_in_float(graph.graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # it warns of zero points that nothing reads
        self.session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, tokens: Sequence[str], seed: int) -> dict[str, np.ndarray]:
        """Synthesize a sentence.

        Returns:
            `wav` and `free_phase` (T * HOP,), `latents` (T, C), `f0` (T,) in Hz, and
            `frames`, the duration of each token and of the end of sentence in units of
            FRAMES frames.
        """
        groups = list(split(tokens))
        phonemes = "".join(phoneme for _, phoneme in groups)
        unknown = sorted(set(phonemes) - set(self.hibari.vocab))
        if unknown:
            sys.exit(
                f"{''.join(tokens)}: hibari has no {' '.join(unknown)}; see PHONEMES"
            )
        ids, speed = np.array([self.hibari.ids(phonemes)]), np.ones(1, np.float32)
        names = [*SPECTRA, LATENTS, DURATIONS]
        values = self.session.run(names, {"ids": ids, "speed": speed})
        *spectra, latents = (value[0] for value in values[:-1])
        return trim(groups, spectra, latents, values[-1].reshape(-1).astype(int), seed)


def trim(groups, spectra, latents, units, seed) -> dict[str, np.ndarray]:
    """Cut the silence at both ends; see `Voice.__call__`."""
    begin, end = (max(0, units[at] - MARGIN) for at in (0, -1))
    kept = slice(begin * FRAMES, (units.sum() - end) * FRAMES)
    rng = np.random.default_rng(seed)
    samples = slice(kept.start * HOP, kept.stop * HOP)
    wave = synth(*spectra, rng)[samples]
    *_, magnitudes, phases, f0 = spectra
    free = np.exp(magnitudes + 1j * phases)
    free[FREE_BINS:] = 0
    f0 = f0[kept]
    return {
        "wav": wave + NOISE * rng.standard_normal(len(wave)),
        "free_phase": ola(free.astype(np.complex64))[samples].astype(np.float16),
        "latents": latents.T[kept],
        "f0": np.where(f0 > LEAST_F0, f0, 0).astype(np.float32),
        "frames": durations_of(groups, units, begin, end),
    }


def durations_of(groups, units: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Return the durations of the tokens and of the end of sentence.

    Args:
        groups: As `split` yields them.
        units: Durations of hibari's phonemes, with a silence at both ends.
        begin: Units that are cut from the first silence; the first token has the rest.
        end: The same of the last silence.
    """
    durations, position = [], 1
    for size, phonemes in groups:
        durations += spread(units[position : position + len(phonemes)].sum(), size)
        position += len(phonemes)
    durations[0] += units[0] - begin
    return np.array([*durations, units[-1] - end])


def main(text: Path, out: Path):
    voice, tokenizer, texts = Voice(), PhonemeTokenizer(G2P), read_table(text)
    record = {
        "script": checksum(Path(__file__)),
        "hibari-tts": version("hibari-tts"),
        "voice": checksum(Path(voice.hibari.model_path)),
        "latents": LATENTS,
        "g2p": G2P,
        "texts": checksum_of(f"{key} {words}" for key, words in texts.items()),
    }
    out.mkdir(parents=True, exist_ok=True)
    begin(out / BEGUN, record, "speech of another voice or text; remove the folder")
    files = VoiceFiles(out)
    waiting = [key for key in texts if not files.has(key)]
    for key in progress_bar(waiting, desc=f"hibari-tts, {out.name}", mininterval=10):
        arrays = voice(tokenizer.text2tokens(texts[key]), zlib.crc32(key.encode()))
        files.write(key, arrays, SAMPLE_RATE, "leave out the text")
    files.finish(texts)
    latents = read_table(out / LISTS["latents"][0])
    channels = np.load(next(iter(latents.values()))).shape[1]
    spec = LatentSpec(SAMPLE_RATE, HOP, channels, 0, record["voice"])
    write_specification(out, spec, latents)


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except ConfigError as error:
        sys.exit(f"error: {error}")
