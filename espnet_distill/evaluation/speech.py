"""Gather the speech that is compared into one folder to listen to."""

from pathlib import Path

from espnet_distill.data.audio import read_audio
from espnet_distill.files import utterance_file, write_wav, written_whole


def copy_speech(
    folder: Path, sources: dict[str, dict[str, Path]]
) -> dict[str, dict[str, Path]]:
    """Copy ``sources[row][utt]`` to ``folder/<row>/<utt>.wav``, 16 bits a sample.

    Samples above full scale are clipped. Returns the copies, by row and utterance.
    """
    return {
        row: {
            utt: _copy(wav, utterance_file(folder / row, utt, ".wav"))
            for utt, wav in wavs.items()
        }
        for row, wavs in sources.items()
    }


def require_speech(sources: dict[str, dict[str, Path]]) -> None:
    """Raise a ConfigError if a file of ``sources[row][utt]`` cannot be used."""
    for wavs in sources.values():
        for wav in wavs.values():
            read_audio(wav)


def _copy(source: Path, target: Path) -> Path:
    wave, rate = read_audio(source)
    with written_whole(target, flush=False) as beside:
        write_wav(beside, wave, rate)
    return target
