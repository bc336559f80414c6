"""Generators: mels to waveforms."""
