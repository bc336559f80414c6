"""Measure experiments: size, speed, memory, and the quality of synthesized speech."""
