"""Voices: a text-to-mel model and a vocoder as one ONNX graph, ids to waveform."""
