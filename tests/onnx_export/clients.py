"""Programs of clients, which run in processes of their own that find no torch."""

import os

from ..conftest import run_python


def without_torch(*arguments, path=()):
    """Run a program that finds no torch, and return its output."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    done = run_python(
        "-c",
        "import sys; sys.modules['torch'] = None\n" + arguments[0],
        *arguments[1:],
        env=env,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Folder, file of the waveform, version, text or phonemes, data of espeak-ng, speaker id
SHERPA = """
import sys, json
import numpy as np
import sherpa_onnx as sherpa
assert sherpa.__version__.startswith(sys.argv[3]), sherpa.__version__
folder, text, data = sys.argv[1], sys.argv[4], sys.argv[5]
vits = sherpa.OfflineTtsVitsModelConfig(
    model=folder + "/voice.onnx", tokens=folder + "/tokens.txt", data_dir=data)
model = sherpa.OfflineTtsModelConfig(vits=vits, num_threads=1)
tts = sherpa.OfflineTts(sherpa.OfflineTtsConfig(model=model, silence_scale=1.0))
if data:
    audio = tts.generate(text)
else:
    how = sherpa.GenerationConfig()
    how.silence_scale, how.sid = 1.0, int((sys.argv[6:] or [0])[0])
    how.phoneme_codepoints = [list(map(ord, text))]
    audio = tts.generate("", how)
np.save(sys.argv[2], np.array(audio.samples, np.float32))
"""
