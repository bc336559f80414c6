"""Synthesize the waveforms of a vocoder's training from the mels of recordings.

Without a vocoder, the recordings themselves are the targets.

Each job of a job array dumps the utterances of its `--key_file` and skips those already
dumped. After all jobs, `--finish` writes the lists and the manifest.
`vocoders/dump.py` describes the folder.
"""

import argparse
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from espnet2.fileio.npy_scp import NpyScpReader
from espnet2.tts.feats_extract.dio import Dio
from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank
from torch.nn import functional

from espnet_distill.data.audio import (
    MOST_FAULTS,
    read_audio,
    require_recordings,
    required_by,
)
from espnet_distill.data.fundamental import has_weak_fundamental, rectify
from espnet_distill.data.inputs import require_inputs
from espnet_distill.data.mel_spec import MelSpec, require_extractor
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import read_config
from espnet_distill.utils.files import flush_disk, read_table
from espnet_distill.utils.progress import progress_bar
from espnet_distill.vocoders import is_none, load_vocoder
from espnet_distill.vocoders.dump import WaveFiles, record

STFT = ("fs", "n_fft", "hop_length")
MOST_DIFFERENT = 8  # frames between a given mel and its recording's


def dump(
    files: WaveFiles, keys: list[str], vocoder, pitch: "F0Extractor", args, conf: dict
) -> None:
    """Write mel, F0 and target waveform of each recording; without vocoder, its own."""
    extractor = LogMelFbank(**conf)
    rate, hop_length = extractor.fs, extractor.hop_length
    recordings = read_table(args.wav_scp)
    mel_reader = NpyScpReader(str(args.mel_scp)) if args.mel_scp else None
    for key in progress_bar(keys, desc=str(files.folder), mininterval=10):
        recording, _ = read_audio(recordings[key], key, rate)
        recording = torch.from_numpy(recording)[None]
        mel = extractor(recording, torch.tensor([recording.size(1)]))[0][0]
        if vocoder is None:
            length = len(mel) * hop_length
            wave = functional.pad(recording[0], (0, length - recording.size(1)))
        else:
            wave = vocoder(mel.to(args.device)).cpu()
        f0 = pitch(wave, len(mel))
        mel = mel.numpy() if mel_reader is None else np.asarray(mel_reader[key])
        arrays = {"mel": mel, "f0": f0, "wave": wave.numpy()}
        files.write(key, arrays, rate, "check the recording, or name another vocoder")
    flush_disk()


def _require_mels(mel_scp: Path, samples: dict[str, int], mels: MelSpec) -> None:
    """Raise a ConfigError unless mels that are given are of the recordings' sizes.

    Of a student whose steps have several frames, some frames may be missing.

    Args:
        mel_scp: Utterance and path of an array (T, n_mels).
        samples: Samples of each utterance's recording.
        mels: The settings of the mels.
    """
    require_inputs([(str(mel_scp), "mel", "npy")], list(samples))
    table, lines = read_table(mel_scp), []
    for key, count in samples.items():
        shape = np.load(table[key], mmap_mode="r", allow_pickle=False).shape
        frames = 1 + count // mels.hop_length
        fits = shape[1:] == (mels.n_mels,) and abs(shape[0] - frames) <= MOST_DIFFERENT
        if not fits:
            lines.append(
                f"{mel_scp}: {key}: shape {shape}, but the recording has {frames} frames "
                f"of {mels.n_mels}; name mels at the recordings' durations "
                "(--use_teacher_forcing true)"
            )
    if lines:
        raise ConfigError(*lines[:MOST_FAULTS])


class F0Extractor:
    """F0 in Hz of each frame of a waveform, 0 where it is not voiced, by ESPnet's DIO.

    Args:
        mels: `feats_extract_conf` of the text-to-mel model.
        pitch: `pitch_extract_conf`, whose range (`f0min`, `f0max`) is taken if set.
        recordings: The recordings of the data, which decide whether waveforms are
            rectified; see :mod:`espnet_distill.data.fundamental`.

    Attributes:
        record: The settings, for the record of a dump.
    """

    def __init__(self, mels: dict, pitch: dict, recordings: Iterable[str]):
        options = {key: pitch[key] for key in ("f0min", "f0max") if key in pitch}
        options |= {key: mels[key] for key in STFT if key in mels}
        self.dio = Dio(
            **options,
            use_token_averaged_f0=False,
            use_continuous_f0=False,
            use_log_f0=False,
        )
        self.is_rectified = has_weak_fundamental([Path(path) for path in recordings])
        self.record = [self.dio.f0min, self.dio.f0max]
        if self.is_rectified:
            self.record.append("rectified")

    def __call__(self, wave: torch.Tensor, frames: int) -> np.ndarray:
        """Return F0 (frames,) of a waveform (T,)."""
        wave = rectify(wave) if self.is_rectified else wave
        return self.dio(wave[None], feats_lengths=torch.tensor([frames]))[0][
            0, :, 0
        ].numpy()


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--config",
        type=Path,
        required=True,
        help="config.yaml of the text2mel experiment, with its mel settings",
    )
    add(
        "--vocoder_file", default="none", help="a HiFi-GAN generator (none: recordings)"
    )
    add("--wav_scp", type=Path, required=True, help="the recordings")
    add("--output_dir", type=Path, required=True)
    add(
        "--mel_scp",
        type=Path,
        help="input mels of the student in place of the recordings' own, aligned",
    )
    add("--key_file", type=Path, help="the utterances of this job (default: all)")
    add("--device", default="cpu")
    add("--finish", action="store_true", help="all jobs are done: write the lists")
    return parser


def main(cmd=None) -> None:
    logging.basicConfig(level="INFO")
    args = get_parser().parse_args(cmd)
    files = WaveFiles(args.output_dir)
    if args.finish:
        files.finish(read_table(args.wav_scp))
        return
    conf = read_config(args.config)
    require_extractor(conf, str(args.config))
    features = conf.get("feats_extract_conf") or {}
    mels = MelSpec.of_conf(features)
    keys = list(read_table(args.key_file or args.wav_scp))
    required = required_by(mels.extractor())
    samples = require_recordings(args.wav_scp, keys, **required)
    if args.mel_scp:
        _require_mels(args.mel_scp, samples, mels)
    vocoder = None
    if not is_none(args.vocoder_file):
        vocoder = load_vocoder(args.vocoder_file, mels).to(args.device)
    recordings = read_table(args.wav_scp).values()
    pitch = F0Extractor(features, conf.get("pitch_extract_conf") or {}, recordings)
    files.begin(
        record(args.vocoder_file, mels, pitch.record, args.wav_scp, args.mel_scp)
    )
    keys = [key for key in keys if not files.has(key)]
    dump(files, keys, vocoder, pitch, args, features)


if __name__ == "__main__":
    main()
