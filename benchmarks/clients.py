"""Compare what clients make of a voice's text with ESPnet and PyTorch, in pairs.

Each client is a process of its own, with the options that it has by default: the
runtime, piper-tts and sherpa-onnx, of which 2.x gets phonemes, and text if the voice has
a lexicon. PyTorch's waveform is raised to the voice's level. WER and DNSMOS are those of
``benchmarks/voices.py``; differences have the 95 % interval of a paired bootstrap.

    python benchmarks/clients.py voice/ --experiment exp/student --vocoder exp/vocoder \\
        --data dump/raw/eval
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from espnet_distill.evaluation.metrics.asr import Whisper
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.profiling.environment import machine
from espnet_distill.utils.files import cache_folder, read_table, write_wav
from espnet_distill.utils.markdown import aligned
from espnet_distill.vocoders.build import build_vocoder
from voices import Scores, System, score, started, synthesize_and_score

PYTORCH = "PyTorch"
LEXICON = "lexicon.txt"


def clients(voice: Path, work: Path) -> Iterator[System]:
    """Yield the clients; sherpa-onnx 1.13.8 if tests have installed it in the cache."""
    plain = voice
    if (voice / LEXICON).is_file():  # with which sherpa-onnx takes no phonemes
        plain = work / "plain"
        shutil.copytree(voice, plain, ignore=shutil.ignore_patterns(LEXICON))
    yield System("runtime", "runtime", plain)
    yield System("piper-tts", "piper", plain)
    older = cache_folder() / "clients/sherpa-onnx-1.13.8"
    if older.is_dir():
        yield System("sherpa-onnx 1.13.8", "sherpa", plain, beside=older)
    yield System("sherpa-onnx 2, phonemes", "sherpa", plain)
    if plain != voice:
        yield System("sherpa-onnx 2, lexicon", "sherpa", voice)


def synthesize(
    experiment: Experiment, vocoder_file: str, texts: Sequence[str], voice: Path, work
) -> list[Path]:
    """Synthesize prepared texts by ESPnet and PyTorch; return WAV files."""
    settings = json.loads((voice / "voice.onnx.json").read_bytes())
    vocoder = build_vocoder(vocoder_file, model=experiment.model)
    wavs = []
    for text in texts:
        tokens = torch.tensor(experiment.front_end("a", {"text": text})["text"])
        with torch.no_grad():
            options = {"use_teacher_forcing": False, "alpha": 1.0}
            made = experiment.model.inference(tokens, **options)
            wave = vocoder(made.get("feat_gen_denorm", made["feat_gen"])).view(-1)
        wavs.append(work / f"pytorch_{len(wavs)}.wav")
        wave = (wave * settings["gain"]).clamp(-1, 1).numpy()
        write_wav(wavs[-1], wave, settings["audio"]["sample_rate"])
    return wavs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("voice", type=Path)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--vocoder", required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with text")
    parser.add_argument("--sentences", type=int, help="the first ones only")
    args = parser.parse_args()
    texts = list(read_table(args.data / "text").values())[: args.sentences]
    experiment = Experiment(args.experiment)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        systems = list(clients(args.voice, work))
        made = synthesize(experiment, args.vocoder, texts, args.voice, work)
        recognize = Whisper(None).load()
        scores = {PYTORCH: score(made, texts, recognize)}
        with started(systems) as processes:
            scores |= synthesize_and_score(systems, processes, texts, work, recognize)
    print(table(scores))
    print(f"\n{len(texts)} sentences, {machine()['date']}")


def table(scores: dict[str, Scores]) -> str:
    """Return the figures, and the differences to PyTorch."""
    figures = [one.compare(scores[PYTORCH]) for one in scores.values()]
    return aligned(
        {
            "client": list(scores),
            "WER (%)": [f"{one['wer']:.1f}" for one in figures],
            "DNSMOS": [f"{one['dnsmos']:.2f}" for one in figures],
            "ΔWER [95 %]": [one["wer_difference"] for one in figures],
            "ΔDNSMOS [95 %]": [one["dnsmos_difference"] for one in figures],
        }
    )


if __name__ == "__main__":
    main()
