"""Metrics of synthesized speech."""

RATE = 16000  # Hz, of the waveforms that the models of the metrics take
