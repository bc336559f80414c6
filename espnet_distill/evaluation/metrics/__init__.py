"""Metrics of synthesized speech."""
