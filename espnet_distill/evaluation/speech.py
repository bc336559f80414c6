"""Gather the speech that is compared into one folder to listen to."""

from pathlib import Path

import soundfile

from espnet_distill.files import utterance_file, write_wav, written_whole


def copy_speech(
    folder: Path, sources: dict[str, dict[str, Path]]
) -> dict[str, dict[str, Path]]:
    """Copy ``sources[row][utt]`` to ``folder/<row>/<utt>.wav``, 16 bits a sample.

    Returns the copies, by row and utterance.
    """
    return {
        row: {
            utt: _copy(wav, utterance_file(folder / row, utt, ".wav"))
            for utt, wav in wavs.items()
        }
        for row, wavs in sources.items()
    }


def _copy(source: Path, target: Path) -> Path:
    wave, rate = soundfile.read(source, dtype="int16")
    with written_whole(target) as beside:
        write_wav(beside, wave, rate)
    return target
