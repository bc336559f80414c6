"""Trained ESPnet models: archives, model zoo, configurations, front ends."""
