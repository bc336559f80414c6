"""Statistics of a model's activations on calibration data."""
