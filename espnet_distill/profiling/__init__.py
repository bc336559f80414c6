"""Parameters, multiply-accumulates, speed and memory of a model."""
