"""`espnet-distill pseudo-label`: what a teacher has read aloud, as data to train on.

A teacher speaks text that nobody has recorded, and its student learns from it as from
recordings: sequence-level distillation (Kim and Rush, EMNLP 2016) on more text than the
teacher was trained on.
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

MADE = "feats_type"  # tells a folder that was made here


SPOKEN_OF = ("text", "utt2spk", "utt2sid", "utt2lid")  # of the text's folder


def gather(decoded: Path, source: Path, out: Path, n_shift: int) -> str:
    """Write an ESPnet data folder, with durations, of what was spoken; describe it.

    Args:
        decoded: What ESPnet's stage 8 wrote of one set, with `durations` and `wav`.
        source: The data folder of that set; of its recordings nothing is read.
        out: The folder to write.
        n_shift: Samples a mel frame.

    Raises:
        ConfigError: Nothing was decoded there, or without durations.
    """
    if n_shift < 1:
        raise ConfigError(f"--n_shift: {n_shift} is not above 0")
    if out.exists() and not (out / MADE).is_file():
        raise ConfigError(f"{out}: holds something else; name another folder")
    durations = read_table(decoded / "durations")
    waves = read_table(decoded / "wav" / "wav.scp")
    frames = {
        key: sum(row)
        for key, row in read_durations(decoded / "durations", durations).items()
    }
    kept = [key for key in durations if frames[key] and key in waves]
    if not kept:
        raise ConfigError(f"{decoded}: no speech with durations was written there")
    tables = dict(_tables_of(source, kept)) | {
        "wav.scp": {key: str(utterance_file(out / "wav", key, ".wav")) for key in kept},
        "durations": durations,
    }
    with folder_written_whole(out, instead=True) as beside:
        spoken = {key: utterance_file(beside / "wav", key, ".wav") for key in kept}
        seconds = sum(
            _trim(Path(waves[key]), wav, frames[key] * n_shift)
            for key, wav in spoken.items()
        )
        for name, table in tables.items():
            write_text(beside / name, "".join(f"{key} {table[key]}\n" for key in kept))
        write_text(beside / MADE, "raw\n")
    return f"{out}: {len(kept)} of {len(durations)} utterances, {seconds / 60:.0f} min"


def _tables_of(source: Path, keys: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    for name in SPOKEN_OF:
        if (source / name).exists():
            remedy = "name the folder of the text that was spoken"
            yield name, read_rows(source / name, keys, remedy)


def _trim(wave: Path, target: Path, samples: int) -> float:
    """Write what gives as many mel frames as were spoken; return its seconds.

    A centred transform of N samples has 1 + N // n_shift frames, a vocoder N / n_shift.
    """
    speech, rate = read_audio(wave)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_wav(target, speech[: samples - 1], rate)
    return len(speech) / rate
