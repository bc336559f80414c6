"""What runs a training and watches it."""
