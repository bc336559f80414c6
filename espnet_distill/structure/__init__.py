"""Pruning groups, config dimensions, slicing, low-rank layers and unit merging."""
