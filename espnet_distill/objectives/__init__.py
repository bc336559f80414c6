"""Distillation objectives: weighted terms of the loss. They see tensors, not models."""
