"""How fast mels and phonemes become waveforms: students against what they stand for.

Vocoders turn the same made-up mels into four seconds of speech: HiFi-GAN V1 and V2 as
published (their speed needs no weights) and the presets of conf/vocoders. A pair, a
student of conf/students at given durations and such a vocoder, speaks about as long;
so does hibari-tts, phonemes in. All take turns in one run, on one thread, eagerly.
Figures are medians; a real-time factor is processing time over audio time.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import yaml
from ljspeech import FRAMES_A_SECOND, MELS, TOKENS
from tqdm import tqdm

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.profiling.dummy_input import dummy_durations
from espnet_distill.profiling.macs import parameters
from espnet_distill.profiling.speed import on_threads, round_robin
from espnet_distill.utils.files import write_csv
from espnet_distill.utils.markdown import aligned
from espnet_distill.vocoders.generators.registry import (
    build_generator,
    prepare_inference,
)

CONF = Path(__file__).parents[1] / "conf"
SPEC = MelSpec(22050, 1024, None, 256, "hann", MELS, 0, 8000, None)
V1 = {"vocoder_type": "hifigan_generator", "vocoder_params": {"channels": 512}}
V2 = {"vocoder_type": "hifigan_generator", "vocoder_params": {"channels": 128}}
FRAMES = 344  # four seconds
PHRASE = "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˌOvəɹ ðə lˈAzi dˈɔɡ, ænd ðə kˈæt wˈɑʧɪz."


class Contestant:
    """What speaks, how long its speech is, and how many parameters it has."""

    def __init__(self, speak: Callable, seconds: float, params: int | None):
        self.speak, self.seconds, self.params = speak, seconds, params


def preset(folder: str, name: str) -> dict:
    """Return a preset of conf/."""
    return yaml.safe_load((CONF / folder / f"{name}.yaml").read_text(encoding="utf-8"))


def generator(conf: dict) -> torch.nn.Module:
    """Build a vocoder as it is when it speaks."""
    return prepare_inference(build_generator(conf, SPEC))


def vocoder(conf: dict) -> Contestant:
    """Let a vocoder speak made-up mels."""
    built = generator(conf)
    mels = torch.randn(1, MELS, FRAMES)
    speak = torch.no_grad()(lambda: built(mels))
    return Contestant(speak, FRAMES / FRAMES_A_SECOND, parameters(built))


def pair(student: str, conf: dict) -> Contestant:
    """Let a student and a vocoder speak a made-up sentence at given durations."""
    from espnet2.tasks.tts import tts_choices

    import espnet_distill

    espnet_distill.register()
    told = preset("students", student)
    model = tts_choices.get_class(told["tts"])(TOKENS, MELS, **told["tts_conf"])
    built = generator(conf)
    text2mel, frames = dummy_durations(model)
    speak = torch.no_grad()(lambda: built(text2mel()["feat_gen"].t()[None]))
    weights = parameters(model) + parameters(built)
    return Contestant(speak, frames / FRAMES_A_SECOND, weights)


def hibari() -> Contestant:
    """Let hibari-tts speak a phrase of phonemes; it draws nothing and reads no text."""
    from hibari import SAMPLE_RATE, Hibari

    voice = Hibari(threads=1)
    length = len(voice.from_phonemes(PHRASE, seed=0))
    return Contestant(
        lambda: voice.from_phonemes(PHRASE, seed=0), length / SAMPLE_RATE, None
    )


def measure(contestants: dict[str, Contestant], repeats: int) -> dict[str, float]:
    """Return real-time factors, after a round that does not count."""
    timed: dict[str, list[float]] = {name: [] for name in contestants}
    with on_threads(1):
        for contestant in contestants.values():
            contestant.speak()
        for _, name in tqdm(
            list(round_robin(list(contestants), 1, repeats)), desc="speed"
        ):
            start = time.perf_counter()
            contestants[name].speak()
            timed[name].append(time.perf_counter() - start)
    return {
        name: median(timed[name]) / contestant.seconds
        for name, contestant in contestants.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--vocoder", default="harmonic_istft_small", help="whose ratios are taken")
    add("--student", default="fastspeech2_small", help="the other half of the pair")
    add("--quick", action="store_true", help="that preset only, few repeats")
    add("--json", action="store_true", help="print the ratios as JSON")
    add("--csv", type=Path, help="also write a line a contestant here")
    args = parser.parse_args()

    names = sorted(path.stem for path in (CONF / "vocoders").glob("*.yaml"))
    names = [args.vocoder] if args.quick else names
    conf = preset("vocoders", args.vocoder)["tts_conf"]
    contestants = {"HiFi-GAN V1": vocoder(V1), "HiFi-GAN V2": vocoder(V2)}
    contestants |= {n: vocoder(preset("vocoders", n)["tts_conf"]) for n in names}
    both = f"{args.student} + {args.vocoder}"
    contestants |= {both: pair(args.student, conf), "hibari-tts": hibari()}
    rtf = measure(contestants, 7 if args.quick else 15)

    ratios = {
        "hifigan_v1_over_student": rtf["HiFi-GAN V1"] / rtf[args.vocoder],
        "hifigan_v2_over_student": rtf["HiFi-GAN V2"] / rtf[args.vocoder],
        "hibari_over_pair": rtf["hibari-tts"] / rtf[both],
    }
    rows = [
        (name, contestants[name].params, value, rtf["HiFi-GAN V1"] / value)
        for name, value in rtf.items()
    ]
    if args.csv:
        write_csv(args.csv, ("name", "params", "rtf", "speed_ratio"), rows)
    if args.json:
        print(json.dumps(ratios))
        return
    columns = {
        "": [name for name, *_ in rows],
        "Parameters": [params and f"{params:,}" for _, params, *_ in rows],
        "RTF": [f"{value:.4f}" for *_, value, _ in rows],
        "V1 over it": [f"{ratio:.1f} ×" for *_, ratio in rows],
    }
    print(aligned(columns), *(f"{key}: {ratios[key]:.2f}" for key in ratios), sep="\n")


if __name__ == "__main__":
    main()
