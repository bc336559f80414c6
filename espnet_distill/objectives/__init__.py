"""Distillation objectives: weighted terms of the loss, computed from tensors."""
