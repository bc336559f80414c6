#!/usr/bin/env python3
"""List VCTK 0.92 as wav.scp, text and utt2spk of a training, validation and test set.

The recordings are those of the first microphone. Recordings without a text, such as all
of p315, are left out and counted.
"""

import argparse
from pathlib import Path

from espnet_distill.data.audio import require_audio
from espnet_distill.data.list_clips import write_data_folder
from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.utils.files import read_text

MICROPHONE = "_mic1.flac"


def clips_of(corpus: Path, speaker: Path) -> list[tuple[str, Path, str, str]]:
    """Return (id, recording, text, speaker) of a speaker, sorted by id."""
    clips = []
    for audio in sorted(speaker.glob(f"*{MICROPHONE}")):
        utterance = audio.name.removesuffix(MICROPHONE)
        text = corpus / "txt" / speaker.name / f"{utterance}.txt"
        words = " ".join(read_text(text).split()) if text.is_file() else ""
        if words:
            clips.append((utterance, audio.resolve(), words, speaker.name))
    return clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("corpus", type=Path)
    add("out", type=Path)
    add("--num_dev", type=int, default=5, help="validation sentences of a speaker")
    add("--num_eval", type=int, default=5, help="test sentences of a speaker")
    args = parser.parse_args()
    sets: dict[str, list] = {"train": [], "dev": [], "eval": []}
    speakers = sorted((args.corpus / "wav48_silence_trimmed").iterdir())
    left_out = 0
    for speaker in filter(Path.is_dir, speakers):
        clips = clips_of(args.corpus, speaker)
        left_out += len(list(speaker.glob(f"*{MICROPHONE}"))) - len(clips)
        held_out = args.num_dev + args.num_eval
        if clips and len(clips) <= held_out:
            raise SystemExit(f"{speaker}: has only {len(clips)} sentences with a text")
        first = len(clips) - held_out
        sets["train"] += clips[:first]
        sets["dev"] += clips[first : first + args.num_dev]
        sets["eval"] += clips[first + args.num_dev :]
    try:
        with ErrorCollector() as faults:
            for utterance, audio, *_ in (
                clip for part in sets.values() for clip in part
            ):
                faults.check(require_audio, audio, utterance)
    except ConfigError as error:
        raise SystemExit(str(error)) from None
    for name, clips in sets.items():
        (args.out / name).mkdir(parents=True, exist_ok=True)
        write_data_folder(args.out / name, clips)
        print(f"{args.out / name}: {len(clips)} sentences")
    if left_out:
        print(f"left out: {left_out} recordings without a text")


if __name__ == "__main__":
    main()
