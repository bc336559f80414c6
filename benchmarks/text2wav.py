"""Measure the synthesis speed of distilled vocoders and of student plus vocoder.

Vocoders convert the same random mels into four seconds of speech: HiFi-GAN V1 and V2 as
published (with random weights) and the presets of conf/vocoders. A student of
conf/students with a vocoder, at given durations, and hibari-tts, from phonemes,
synthesize about the same length. The systems alternate in one run, on one thread, in
eager mode. Figures are medians; the real-time factor is processing over audio time.
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


class System:
    """A synthesis function, the seconds of its output and the number of parameters."""

    def __init__(self, run: Callable, seconds: float, params: int | None):
        self.run, self.seconds, self.params = run, seconds, params


def preset(folder: str, name: str) -> dict:
    """Load a preset of conf/."""
    return yaml.safe_load((CONF / folder / f"{name}.yaml").read_text(encoding="utf-8"))


def generator(conf: dict) -> torch.nn.Module:
    """Build a generator, prepared for inference."""
    return prepare_inference(build_generator(conf, SPEC))


def vocoder(conf: dict) -> System:
    """Return a system that converts random mels."""
    built = generator(conf)
    mels = torch.randn(1, MELS, FRAMES)
    run = torch.no_grad()(lambda: built(mels))
    return System(run, FRAMES / FRAMES_A_SECOND, parameters(built))


def student_with_vocoder(student: str, conf: dict) -> System:
    """Return a system of a student and a vocoder, at given durations."""
    from espnet2.tasks.tts import tts_choices

    import espnet_distill

    espnet_distill.register()
    student_conf = preset("students", student)
    model = tts_choices.get_class(student_conf["tts"])(
        TOKENS, MELS, **student_conf["tts_conf"]
    )
    built = generator(conf)
    text2mel, frames = dummy_durations(model)
    run = torch.no_grad()(lambda: built(text2mel()["feat_gen"].t()[None]))
    weights = parameters(model) + parameters(built)
    return System(run, frames / FRAMES_A_SECOND, weights)


def hibari() -> System:
    """Return hibari-tts with a phrase of phonemes; fixed seed, no front end."""
    from hibari import SAMPLE_RATE, Hibari

    voice = Hibari(threads=1)
    length = len(voice.from_phonemes(PHRASE, seed=0))
    return System(
        lambda: voice.from_phonemes(PHRASE, seed=0), length / SAMPLE_RATE, None
    )


def measure(systems: dict[str, System], repeats: int) -> dict[str, float]:
    """Return real-time factors, after a warm-up round."""
    samples: dict[str, list[float]] = {name: [] for name in systems}
    with on_threads(1):
        for system in systems.values():
            system.run()
        for _, name in tqdm(list(round_robin(list(systems), 1, repeats)), desc="speed"):
            start = time.perf_counter()
            systems[name].run()
            samples[name].append(time.perf_counter() - start)
    return {
        name: median(samples[name]) / system.seconds for name, system in systems.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--vocoder-preset", default="harmonic_istft_small", help="preset for the ratios"
    )
    add("--student", default="fastspeech2_small", help="student preset for text to wav")
    add("--quick", action="store_true", help="the --vocoder-preset only, fewer repeats")
    add("--json", action="store_true", help="print the ratios as JSON")
    add("--csv", type=Path, help="also write one line a system")
    args = parser.parse_args()

    names = sorted(path.stem for path in (CONF / "vocoders").glob("*.yaml"))
    names = [args.vocoder_preset] if args.quick else names
    conf = preset("vocoders", args.vocoder_preset)["tts_conf"]
    systems = {"HiFi-GAN V1": vocoder(V1), "HiFi-GAN V2": vocoder(V2)}
    systems |= {n: vocoder(preset("vocoders", n)["tts_conf"]) for n in names}
    both = f"{args.student} + {args.vocoder_preset}"
    systems |= {both: student_with_vocoder(args.student, conf), "hibari-tts": hibari()}
    rtf = measure(systems, 7 if args.quick else 15)

    ratios = {
        "hifigan_v1_over_student": rtf["HiFi-GAN V1"] / rtf[args.vocoder_preset],
        "hifigan_v2_over_student": rtf["HiFi-GAN V2"] / rtf[args.vocoder_preset],
        "hibari_over_pair": rtf["hibari-tts"] / rtf[both],
    }
    rows = [
        (name, systems[name].params, value, rtf["HiFi-GAN V1"] / value)
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
