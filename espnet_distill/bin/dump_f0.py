"""Compute the F0 of a text-to-waveform teacher's speech, for a vocoder of its latents.

Each job of a job array computes the F0 of the utterances of its `--key_file` and skips
those that have it. After all jobs, `--finish` writes the list, the statistics of the
latents and their settings. `vocoders/latents.py` describes the folder.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import torch

from espnet_distill.bin.dump_waves import F0Extractor
from espnet_distill.data.audio import read_audio
from espnet_distill.errors import ConfigError
from espnet_distill.teachers.dumped import MANIFEST, begin
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.config_values import as_whole
from espnet_distill.utils.files import flush_disk, read_table, read_yaml
from espnet_distill.utils.locking import locked
from espnet_distill.utils.progress import progress_bar
from espnet_distill.utils.utterance_files import ARRAY, UtteranceFiles
from espnet_distill.vocoders.latents import (
    CONDITION,
    LISTS,
    SPEC,
    LatentSpec,
    write_specification,
)

BEGUN = "f0.yaml"
OTHERS = "F0 of other speech or in another range; remove the folder f0 and f0.yaml"


class Speech:
    """The finished dump of one set, with latents.

    Raises:
        ConfigError: It is unfinished, or has no latents or waveforms.
    """

    def __init__(self, folder: Path):
        manifest = folder / MANIFEST
        if not manifest.is_file():
            raise ConfigError(
                f"{folder}: no finished dump of speech; run "
                "espnet_distill.bin.dump_speech for it"
            )
        latents, _ = LISTS["latents"]
        if not (folder / latents).is_file():
            raise ConfigError(f"{folder}: has no latents; dump it with --latents")
        if not (folder / LISTS["teacher_wave"][0]).is_file():
            raise ConfigError(
                f"{folder}: has no waveforms; dump it with --latents, not --latents_only"
            )
        self.folder = folder
        self.manifest = read_yaml(manifest)
        self.waves = read_table(folder / LISTS["teacher_wave"][0])
        self.latents = read_table(folder / latents)
        condition = folder / CONDITION[0]
        self.conditions = read_table(condition) if condition.is_file() else {}

    def frames(self, utterance: str) -> np.ndarray:
        """Return the latents of an utterance (T, C)."""
        return np.load(self.latents[utterance], mmap_mode="r", allow_pickle=False)

    def drop_condition(self) -> None:
        """Leave out the global conditioning of the waveform decoder, a constant.

        Raises:
            ConfigError: It differs between utterances.
        """
        first = None
        for utterance, path in self.conditions.items():
            value = np.load(path, allow_pickle=False)
            first = value if first is None else first
            if not np.allclose(value, first, rtol=1e-4, atol=1e-5):
                raise ConfigError(
                    f"{self.folder}: {utterance}: another speaker or language than the "
                    "first utterance's; --unconditioned requires one"
                )
        self.conditions = {}

    def specification(self) -> LatentSpec:
        """Return the settings of the latents, from the first utterance.

        Raises:
            ConfigError: The waveform has no whole number of samples a frame.
        """
        utterance = next(iter(self.latents))
        wave, rate = read_audio(self.waves[utterance], utterance)
        frames, channels = self.frames(utterance).shape
        hop_length, rest = divmod(len(wave), frames)
        if rest:
            raise ConfigError(
                f"{self.folder}: {utterance}: {len(wave)} samples for {frames} frames; "
                "dump the speech again"
            )
        size = 0
        if self.conditions:
            size = len(np.load(self.conditions[utterance], allow_pickle=False))
        sha256 = self.manifest["teacher"]["model_sha256"]
        return LatentSpec(rate, hop_length, channels, size, sha256)


def dump(
    speech: Speech, files: UtteranceFiles, keys: list[str], pitch: F0Extractor
) -> None:
    """Write the F0 of utterances, one value a frame of the latents."""
    name = speech.folder.name
    for key in progress_bar(keys, desc=f"F0 of {name}", mininterval=10):
        wave, rate = read_audio(speech.waves[key], key, pitch.dio.fs)
        f0 = pitch(torch.from_numpy(wave), len(speech.frames(key)))
        files.write(key, {"f0": f0}, rate, "dump the speech again")
    flush_disk()


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--speech", type=Path, required=True, help="a set that dump_speech has written")
    add("--key_file", type=Path, help="the utterances of this job (default: all)")
    add("--f0min", type=int, default=80, help="lowest F0 in Hz")
    add("--f0max", type=int, default=400, help="highest F0 in Hz")
    add(
        "--unconditioned",
        action="store_true",
        help="of one speaker and language: a vocoder without global conditioning",
    )
    add("--finish", action="store_true", help="all jobs are done: write the lists")
    return parser


def main(cmd=None) -> None:
    logging.basicConfig(level="INFO")
    args = get_parser().parse_args(cmd)
    as_whole(args.f0min, "--f0min", least=1)
    as_whole(args.f0max, "--f0max", least=args.f0min + 1)
    speech = Speech(args.speech)
    if args.unconditioned:
        speech.drop_condition()
    files = UtteranceFiles(args.speech, {"f0": ARRAY}, "run the jobs again")
    if args.finish:
        with locked(args.speech):
            files.write_lists(speech.latents)
            write_specification(speech.folder, speech.specification(), speech.latents)
        return
    spec = speech.specification()
    (args.speech / SPEC).unlink(missing_ok=True)
    mels = {"fs": spec.fs, "n_fft": 4 * spec.hop_length, "hop_length": spec.hop_length}
    bounds = {"f0min": args.f0min, "f0max": args.f0max}
    pitch = F0Extractor(mels, bounds, speech.waves.values())
    record = {"f0": pitch.record, "speech_sha256": checksum(args.speech / MANIFEST)}
    begin(args.speech / BEGUN, record, OTHERS)
    keys = list(read_table(args.key_file) if args.key_file else speech.latents)
    dump(speech, files, [key for key in keys if not files.has(key)], pitch)


if __name__ == "__main__":
    main()
