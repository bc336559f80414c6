"""Student models: variants of FastSpeech2 and models with per-layer sizes."""
