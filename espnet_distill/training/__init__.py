"""Callbacks of a training, and their drivers for ESPnet2 and Lightning."""
