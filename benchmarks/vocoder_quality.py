"""Evaluate vocoders by copy synthesis of recordings: word errors, DNSMOS, MCD.

    benchmarks/vocoder_quality.py exp/student/config.yaml dump/raw/eval exp/vocoders \\
        DIR/generator_v2 exp/vocoder/train.total_count.ave.pth

The first vocoder is the teacher, the reference of the differences; the other rows are
named after the vocoders' folders. The synthesized files stay in OUT/wav.
"""

import argparse
from pathlib import Path

from espnet_distill.bin import dump_waves
from espnet_distill.data.utterances import read_data
from espnet_distill.evaluation import score as quality
from espnet_distill.evaluation import table
from espnet_distill.evaluation.cache import DiskCache
from espnet_distill.evaluation.metrics.asr import Whisper
from espnet_distill.profiling.speed import on_threads
from espnet_distill.utils.files import read_table


def synthesize(vocoder: Path, args: argparse.Namespace, out: Path) -> dict[str, Path]:
    """Convert the mels of the recordings; return the files by utterance."""
    options = ["--config", args.config, "--vocoder_file", vocoder]
    options += ["--wav_scp", args.data / "wav.scp", "--output_dir", out]
    with on_threads(args.threads):
        dump_waves.main([str(word) for word in options])
    dump_waves.main([str(word) for word in (*options, "--finish")])
    return {utt: Path(wav) for utt, wav in read_table(out / "wave.scp").items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "config",
        type=Path,
        help="config.yaml of a text2mel experiment, for the mel settings",
    )
    add("data", type=Path, help="ESPnet data folder of held-out recordings")
    add("out", type=Path)
    add("vocoders", type=Path, nargs="+", help="generators, the teacher first")
    add("--metrics", nargs="+", default=["wer", "dnsmos", "mcd"])
    add("--threads", type=int, default=1)
    args = parser.parse_args()

    utterances = read_data(args.data)
    names = ["teacher", *(path.parent.name for path in args.vocoders[1:])]
    wavs = {
        name: synthesize(vocoder, args, args.out / "synthesized" / name)
        for name, vocoder in zip(names, args.vocoders, strict=True)
    }
    recognizer = Whisper(None)
    scorer = quality.Scorer(
        tuple(args.metrics), (recognizer,), None, DiskCache(args.out / "cache")
    )
    scores = quality.score_all(wavs, utterances, {}, scorer, args.out)
    rows = [
        table.row(name, scores, "teacher" if name in names[1:] else None)
        for name in (quality.REFERENCE, *names)
    ]
    vocoders = ", ".join(map(str, args.vocoders))
    surroundings = table.environment(
        args.data, len(utterances), recognizer.description, vocoders
    )
    table.write(args.out, rows, surroundings, scores)
    print(table.markdown(rows, surroundings))


if __name__ == "__main__":
    main()
