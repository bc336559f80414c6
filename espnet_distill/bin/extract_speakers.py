"""Extract speaker embeddings with resemblyzer, in place of ESPnet's extract_spk_embed.py.

`--tts_opts "--use_spk_embed true --spk_embed_tool resemblyzer"` reaches it in stage 3 of
tts.sh. The model (GE2E, Wan et al., 2018; 256 values) is included in the package.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from omniio.kaldi import WriteHelper

from espnet_distill.data.audio import read_audio_at, require_recordings
from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.metrics import RATE
from espnet_distill.evaluation.metrics.speaker import RESEMBLYZER, find
from espnet_distill.utils.files import read_table, require_folder
from espnet_distill.utils.progress import progress_bar
from espnet_distill.utils.validation import require_finite


def extract(data: Path, out: Path, tag: str) -> None:
    """Write the embeddings of the utterances of a data folder, and the speakers' means.

    Args:
        data: The folder, with ``wav.scp`` and ``utt2spk``.
        out: The folder of ``<tag>.scp``, ``<tag>.ark``, ``spk_<tag>.scp`` and
            ``spk_<tag>.ark``.
        tag: The name of the embeddings.

    Raises:
        ConfigError: resemblyzer is missing, or a recording is not readable or silent.
    """
    embed = find(RESEMBLYZER).load()
    waves, speakers = read_table(data / "wav.scp"), read_table(data / "utt2spk")
    require_recordings(data / "wav.scp", speakers)
    embeddings = {
        utterance: _embedding(embed, waves[utterance], utterance)
        for utterance in progress_bar(speakers, desc=tag, unit="utt", mininterval=10)
    }
    of_speakers: dict[str, list[np.ndarray]] = {}
    for utterance, speaker in speakers.items():
        of_speakers.setdefault(speaker, []).append(embeddings[utterance])
    means = {speaker: np.mean(rows, axis=0) for speaker, rows in of_speakers.items()}
    require_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    _write(out / f"{tag}.scp", embeddings)
    _write(out / f"spk_{tag}.scp", means)


def _embedding(embed, wave: str, utterance: str) -> np.ndarray:
    embedding = np.asarray(embed(read_audio_at(Path(wave), RATE)), np.float32)
    remedy = "it may be silent; leave the utterance out"
    require_finite({"speaker embedding": embedding}, f"{wave}: {utterance}", remedy)
    return embedding


def _write(scp: Path, vectors: dict[str, np.ndarray]) -> None:
    """Write an archive and its table; the table appears when the archive is complete."""
    scp.unlink(missing_ok=True)
    beside = scp.with_name(f"{scp.name}.tmp")
    with WriteHelper(f"ark,scp:{scp.with_suffix('.ark')},{beside}") as writer:
        for key, vector in vectors.items():
            writer[key] = vector
    os.replace(beside, scp)


def get_parser() -> argparse.ArgumentParser:
    """Return a parser of the arguments of ESPnet's script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--toolkit", choices=[RESEMBLYZER], required=True)
    add("--spk_embed_tag", default="spk_embed")
    for name in ("pretrained_model", "device", "num_workers", "batch_size", "prefetch"):
        add(f"--{name}", help="ignored")
    add("in_folder", type=Path)
    add("out_folder", type=Path)
    return parser


def main(cmd=None) -> None:
    args = get_parser().parse_args(cmd)
    if not (args.in_folder / "utt2spk").is_file():
        raise ConfigError(f"{args.in_folder}: no utt2spk in it; is it a data folder?")
    extract(args.in_folder, args.out_folder, args.spk_embed_tag)


if __name__ == "__main__":
    main()
