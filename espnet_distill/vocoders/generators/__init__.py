"""Generators of waveforms from mels."""
