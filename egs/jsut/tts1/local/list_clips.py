"""List JSUT's recordings as wav.scp, text and utt2spk."""

import argparse
from pathlib import Path

from espnet_distill.data.audio import require_audio
from espnet_distill.data.list_clips import write_data_folder
from espnet_distill.data.metadata import read_transcript
from espnet_distill.errors import ConfigError, ErrorCollector

TRANSCRIPT = "transcript_utf8.txt"


def main(corpus: Path, out: Path, speaker: str = "jsut") -> None:
    transcripts = sorted(corpus.glob(f"*/{TRANSCRIPT}"))
    if not transcripts:
        raise ConfigError(
            f"{corpus}: no folder in it has a {TRANSCRIPT}; name jsut_ver1.1 in db.sh "
            "(JSUT=...)"
        )
    rows = []
    with ErrorCollector() as faults:
        for transcript in transcripts:
            for line in read_transcript(transcript):
                wav = transcript.parent / "wav" / f"{line.utterance}.wav"
                faults.check(require_audio, wav, line.utterance)
                rows.append((line.utterance, wav.resolve(), line.text, speaker))
    write_data_folder(out, rows)
    print(f"{out}: {len(rows)} recordings of {speaker}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="the folder jsut_ver1.1")
    parser.add_argument("out", type=Path, help="the data folder")
    main(**vars(parser.parse_args()))
