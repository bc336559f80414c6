"""Voices of models that synthesize waveforms: VITS, JETS, JointText2Wav."""
