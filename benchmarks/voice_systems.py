"""Text-to-speech systems, each in a process of its own, without torch.

    python benchmarks/voice_systems.py KIND PATH          serves requests, a line each
    python benchmarks/voice_systems.py KIND PATH TEXT     is measured to its first sound

A request is JSON: ``text``, ``phonemes`` (whether the front end is computed before the
clock starts) and ``out`` (a WAV file, or null). The answer has CPU and wall ``seconds``,
those until the ``first`` piece, the length of the ``audio`` and the ``peak`` memory in MiB.
"""

import importlib.util
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CLOCKS = (time.process_time, time.perf_counter)


class Runtime:
    """A voice folder, or a voice of Piper's, by espnet_distill.voice."""

    def __init__(self, path: str):
        from espnet_distill.voice import Voice

        self.voice = Voice(path)
        self.rate = self.voice.sample_rate

    def phonemes(self, text: str) -> list[list[int]]:
        return [self.voice.ids(one) for one in self.voice.phonemize(text)]

    def of_phonemes(self, sentences: list[list[int]]) -> Iterator[np.ndarray]:
        for ids in sentences:
            yield from self.voice.stream_ids(ids)

    def of_text(self, text: str) -> Iterator[np.ndarray]:
        return self.voice.stream(text)


class Hibari:
    """hibari-tts."""

    def __init__(self, path: str):
        self.tts = importlib.import_module("hibari").Hibari(threads=1)
        self.rate = self.tts.sample_rate

    def phonemes(self, text: str) -> list[str]:
        return self.tts.phonemize(text)

    def of_phonemes(self, sentences: list[str]) -> Iterator[np.ndarray]:
        for phonemes in sentences:
            yield self.tts.from_phonemes(phonemes, seed=0)

    def of_text(self, text: str) -> Iterator[np.ndarray]:
        return self.tts.stream(text, seed=0)


class Piper:
    """A voice folder by piper-tts, with the options that it has by default."""

    def __init__(self, path: str):
        from espnet_distill.voice.graph import open_session

        piper = importlib.import_module("piper")
        config = importlib.import_module("piper.config").PiperConfig
        settings = json.loads(Path(path, "voice.onnx.json").read_bytes())
        session = open_session(
            Path(path, "voice.onnx")
        )  # PiperVoice.load has no threads
        self.voice = piper.PiperVoice(session, config.from_dict(settings))
        self.rate = self.voice.config.sample_rate

    def phonemes(self, text: str) -> list[list[int]]:
        return [self.voice.phonemes_to_ids(one) for one in self.voice.phonemize(text)]

    def of_phonemes(self, sentences: list[list[int]]) -> Iterator[np.ndarray]:
        for ids in sentences:
            yield self.voice.phoneme_ids_to_audio(ids)

    def of_text(self, text: str) -> Iterator[np.ndarray]:
        for chunk in self.voice.synthesize(text):
            yield chunk.audio_float_array


class Sherpa:
    """A voice folder by sherpa-onnx; text by espeak-ng in 1.x, and as phonemes in 2.x.

    With a lexicon, 2.x takes text.
    """

    def __init__(self, path: str):
        import sherpa_onnx

        from espnet_distill.voice import Voice

        self.front_end = Voice(path)
        self.rate = self.front_end.sample_rate
        self.has_espeak = sherpa_onnx.__version__.startswith("1.")
        lexicon = Path(path, "lexicon.txt")
        self.takes_text = self.has_espeak or lexicon.is_file()
        data = ""
        if self.has_espeak:
            data = str(Path(importlib.util.find_spec("piper").origin).parent)
            data += "/espeak-ng-data"
        by_lexicon = lexicon.is_file() and not self.has_espeak
        vits = sherpa_onnx.OfflineTtsVitsModelConfig(
            model=f"{path}/voice.onnx",
            tokens=f"{path}/lexicon_tokens.txt" if by_lexicon else f"{path}/tokens.txt",
            data_dir=data,
            lexicon=str(lexicon) if by_lexicon else "",
        )
        model = sherpa_onnx.OfflineTtsModelConfig(vits=vits, num_threads=1)
        self.tts = sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=model))
        self.conditions = getattr(sherpa_onnx, "GenerationConfig", None)

    def phonemes(self, text: str) -> list[list[int]]:
        known = self.front_end.config.ids
        sentences = (
            "".join(one).replace("<space>", " ")
            for one in self.front_end.phonemize(text)
        )
        return [[ord(one) for one in ipa if one in known] for ipa in sentences]

    def of_phonemes(self, sentences: list[list[int]]) -> Iterator[np.ndarray]:
        for codes in sentences:
            how = self.conditions()
            how.phoneme_codepoints = [codes]
            yield np.array(self.tts.generate("", how).samples, np.float32)

    def of_text(self, text: str) -> Iterator[np.ndarray]:
        if not self.takes_text:
            return self.of_phonemes(self.phonemes(text))
        return iter([np.array(self.tts.generate(text).samples, np.float32)])


KINDS = {"runtime": Runtime, "hibari": Hibari, "piper": Piper, "sherpa": Sherpa}


def answer(system, text: str, phonemes: bool, out: str | None) -> dict:
    """Synthesize a text once."""
    given = system.phonemes(text) if phonemes else text
    synthesize = system.of_phonemes if phonemes else system.of_text
    begun = [clock() for clock in CLOCKS]
    pieces = iter(synthesize(given))
    first = next(pieces)
    until_first = [clock() - start for clock, start in zip(CLOCKS, begun)]
    wave = np.concatenate([first, *pieces])
    seconds = [clock() - start for clock, start in zip(CLOCKS, begun)]
    if out:
        write(Path(out), wave, system.rate)
    return {
        "seconds": seconds,
        "first": until_first,
        "audio": len(wave) / system.rate,
        "peak": peak_memory(),
    }


def peak_memory() -> float:
    """Return the peak of this program in MiB; ru_maxrss includes its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def write(path: Path, wave: np.ndarray, rate: int) -> None:
    """Write 16-bit PCM."""
    from espnet_distill.voice.audio import to_pcm, wav_header

    pcm = to_pcm(wave)
    path.write_bytes(wav_header(rate, len(pcm)) + pcm)


def main() -> None:
    kind, path, *text = sys.argv[1:]
    if text:
        next(iter(KINDS[kind](path).of_text(text[0])))
        print(json.dumps({"seconds": time.process_time()}), flush=True)
        return
    system = KINDS[kind](path)
    for line in sys.stdin:
        print(json.dumps(answer(system, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
