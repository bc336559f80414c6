"""Masks: which units, weights or layers stay."""
