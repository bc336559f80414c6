"""Export of a text-to-mel model and a vocoder as a voice: one ONNX graph, ids to wave."""
