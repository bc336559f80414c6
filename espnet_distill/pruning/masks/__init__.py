"""Pruning masks over units, weights or layers."""
