"""Pruning without training, and compaction after training."""
