"""Trained ESPnet models on disk: archives, model zoo, configurations."""
