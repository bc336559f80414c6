"""Pruning during training and after it."""
