"""Corpora of a language that espeak-ng's own voice synthesizes."""

import ctypes

import numpy as np
import soundfile
import soxr

from espnet_distill.voice.espeak import load_espeak

RATE = 22050
CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
UTF8 = 1
GERMAN = [
    "Schöne Mädchen, ein Download!",
    "Am 3. Mai 1999 war es süß.",
    "Große Bären mögen „Äpfel“.",
    "Die Übung kostet 5,20 €?",
    "Der Zug fährt um 7:45 Uhr nach München.",
]


def synthesize(text, voice):
    """Return a waveform (samples,) of a text, int16 at RATE."""
    espeak, pieces = load_espeak(), []

    @CALLBACK
    def keep(samples, count, events):
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    espeak.text_to_phonemes(text, voice)  # which sets the voice
    espeak.library.espeak_SetSynthCallback(keep)
    data = text.encode()
    size = ctypes.c_size_t(len(data) + 1)
    espeak.library.espeak_Synth(data, size, 0, 0, 0, UTF8, None, None)
    espeak.library.espeak_Synchronize()
    return np.concatenate(pieces)


def write_corpus(folder, texts, voice, rate=RATE):
    """Write metadata.csv and wavs/ of texts by name, at another rate if it is given."""
    (folder / "wavs").mkdir(parents=True)
    lines = []
    for name, text in texts.items():
        wave = synthesize(text, voice)
        if rate != RATE:
            wave = soxr.resample(wave, RATE, rate)
        soundfile.write(folder / f"wavs/{name}.wav", wave, rate)
        lines.append(f"{name}|{text}\n")
    (folder / "metadata.csv").write_text("".join(lines), encoding="utf-8")
    return folder
