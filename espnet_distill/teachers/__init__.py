"""Trained ESPnet models that a student learns from."""
