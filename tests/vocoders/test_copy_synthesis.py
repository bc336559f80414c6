"""Copy synthesis with a published HiFi-GAN."""

import os
from pathlib import Path
from types import SimpleNamespace

import librosa
import pytest
import torch
from espnet2.tts.feats_extract.log_mel_fbank import LogMelFbank

from espnet_distill.vocoders import build_vocoder

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("ESPNET_DISTILL_SHARED", ROOT.parent / "shared"))
VOCODER = SHARED / "vocoders" / "hifigan_v2_ljspeech" / "generator_v2"
SPEECH = SHARED / "corpora" / "kathleen" / "wavs" / "arctic_a0001.flac"

FEATS = dict(
    fs=22050,
    n_fft=1024,
    win_length=1024,
    hop_length=256,
    n_mels=80,
    fmin=0,
    fmax=8000,
    log_base=None,
)


@pytest.mark.skipif(
    not (VOCODER.exists() and SPEECH.exists()), reason=f"not in {SHARED}"
)
def test_copy_synthesis():
    extract = LogMelFbank(**FEATS)
    speech, _ = librosa.load(SPEECH, sr=FEATS["fs"])
    length = torch.tensor([len(speech)])
    mel = extract(torch.from_numpy(speech)[None], length)[0][0]
    vocoder = build_vocoder(VOCODER, model=SimpleNamespace(feats_extract=extract))
    wav = vocoder(mel)
    assert wav.shape == (len(mel) * FEATS["hop_length"],)

    # HiFi-GAN's frames are centred half a hop later than ESPnet's.
    wav = wav[FEATS["hop_length"] // 2 :]
    again = extract(wav[None], torch.tensor([len(wav)]))[0][0]
    mel = mel[: len(again)]
    assert (again - mel).abs().mean() < 0.35
    assert torch.corrcoef(torch.stack([again.flatten(), mel.flatten()]))[0, 1] > 0.97
