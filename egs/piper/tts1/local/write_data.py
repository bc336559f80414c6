#!/usr/bin/env python3
"""Write the data folders of sentences that a Piper voice synthesizes.

The voice's own runtime synthesizes the test sentences, the reference of the evaluation.
The teacher synthesizes the other sets in stage 2 of distill.sh; tts.sh requires
recordings of them before, for which the first test sentence stands.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from espnet_distill.data.front_end import prepare_folder
from espnet_distill.data.languages import language_of
from espnet_distill.data.list_clips import write_data_folder
from espnet_distill.data.metadata import Line, read_prompts
from espnet_distill.utils.checksums import checksum, checksum_of
from espnet_distill.utils.files import write_wav, written_whole
from espnet_distill.voice import Voice

NUM_DEV, NUM_EVAL = 16, 48


def synthesize(
    voice: Voice, lines: list[Line], folder: Path, speaker: str | None
) -> dict[str, Path]:
    """Synthesize sentences without a file in `folder`; return the files by id."""
    made_from = checksum(voice.path), str(speaker)
    waves = {
        line.utterance: folder
        / f"{line.utterance}_{checksum_of([*made_from, line.text])[:12]}.wav"
        for line in lines
    }
    for line in tqdm(lines, desc="Piper voice", unit="sentence"):
        wave = waves[line.utterance]
        if not wave.exists():
            speech = np.clip(voice.synthesize(line.text, speaker=speaker), -1, 1)
            with written_whole(wave) as beside:
                write_wav(beside, speech, voice.sample_rate)
    return waves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("voice", type=Path, help="the .onnx of the voice")
    add("out", type=Path, help="the folder of the data folders")
    add("prompts", type=Path, help="lines `<id> <sentence>`, the last held out")
    add("more", type=Path, nargs="?", help="more sentences, for the training")
    add("--speaker", metavar="NAME", help="one of several speakers of the voice")
    args = parser.parse_args()
    voice = Voice(args.voice)
    lines = read_prompts(args.prompts)
    sets = {
        "eval": lines[-NUM_EVAL:],
        "dev": lines[-NUM_EVAL - NUM_DEV : -NUM_EVAL],
        "train": lines[: -NUM_EVAL - NUM_DEV],
    }
    sets["train"] += read_prompts(args.more) if args.more else []
    folder = Path("downloads")
    waves = synthesize(voice, sets["eval"], folder, args.speaker)
    placeholder = waves[lines[-1].utterance]
    speaker, espeak_voice = args.speaker or "piper", voice.config.espeak_voice
    for name, lines in sets.items():
        rows = (
            (one.utterance, waves.get(one.utterance, placeholder), one.text, speaker)
            for one in lines
        )
        write_data_folder(args.out / name, rows)
        prepare_folder(args.out / name, language_of(None, espeak_voice), espeak_voice)


if __name__ == "__main__":
    main()
