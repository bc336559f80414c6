"""Pseudo-labels: teacher-synthesized speech as training data of a student.

The teacher synthesizes unrecorded text, and the student is trained on the result as on
recordings: sequence-level distillation (Kim and Rush, EMNLP 2016). For
`espnet-distill pseudo-label`.
"""

from collections.abc import Iterator
from pathlib import Path

from espnet_distill.data.audio import read_audio
from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import (
    folder_written_whole,
    read_durations,
    read_rows,
    read_table,
    utterance_file,
    write_text,
    write_wav,
)

MARKER = "feats_type"  # a folder without this file is not overwritten


SOURCE_TABLES = ("text", "utt2spk", "utt2sid", "utt2lid")  # copied if present


def gather(decoded: Path, source: Path, out: Path, n_shift: int) -> str:
    """Write an ESPnet data folder, with durations, of synthesized speech.

    Args:
        decoded: The output folder of tts.sh stage 8 for one set, with `durations` and
            `wav`; or a dump of latents alone, without `wav`: the recordings of `source`
            are listed then, which tts.sh requires.
        source: The data folder of that set; its recordings are not used otherwise.
        out: The folder to write.
        n_shift: Samples per mel frame.

    Returns:
        A line with the number of utterances and their total duration.

    Raises:
        ConfigError: No utterance has both speech and durations.
    """
    if n_shift < 1:
        raise ConfigError(f"--n-shift: {n_shift} is not above 0")
    if out.exists() and not (out / MARKER).is_file():
        raise ConfigError(f"{out}: is no folder of pseudo-labels; name another folder")
    durations = read_table(decoded / "durations")
    frames = {
        key: sum(row)
        for key, row in read_durations(decoded / "durations", durations).items()
    }
    has_waves = (decoded / "wav").exists()
    waves = read_table((decoded / "wav" if has_waves else source) / "wav.scp")
    kept = [key for key in durations if frames[key] and key in waves]
    if not kept:
        raise ConfigError(f"{decoded}: has no speech with durations; decode again")
    tables = dict(_tables_of(source, kept)) | {"durations": durations}
    with folder_written_whole(out, instead=True) as beside:
        if has_waves:
            lengths = {key: frames[key] * n_shift for key in kept}
            report = _write_waves(waves, lengths, beside)
            waves = {key: str(_wave_of(out, key)) for key in kept}
        else:
            report = "latents alone"
        for name, table in (tables | {"wav.scp": waves}).items():
            write_text(beside / name, "".join(f"{key} {table[key]}\n" for key in kept))
        write_text(beside / MARKER, "raw\n")
    return f"{out}: {len(kept)} of {len(durations)} utterances, {report}"


def _write_waves(waves: dict[str, str], lengths: dict[str, int], out: Path) -> str:
    """Write waveforms of given lengths in samples; return their total duration."""
    seconds = sum(
        _trim(Path(waves[key]), _wave_of(out, key), samples)
        for key, samples in lengths.items()
    )
    return f"{seconds / 60:.0f} min"


def _wave_of(folder: Path, key: str) -> Path:
    return utterance_file(folder / "wav", key, ".wav")


def _tables_of(source: Path, keys: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    for name in SOURCE_TABLES:
        if (source / name).exists():
            remedy = "name the folder of the synthesized text"
            yield name, read_rows(source / name, keys, remedy)


def _trim(wave: Path, target: Path, samples: int) -> float:
    """Write a waveform cut to its number of mel frames; return the duration in seconds.

    A centered STFT of N samples has 1 + N // n_shift frames, a vocoder's output
    N / n_shift; hence one sample less than ``samples`` is written.
    """
    speech, rate = read_audio(wave)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_wav(target, speech[: samples - 1], rate)
    return len(speech) / rate
