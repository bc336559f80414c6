"""Training callbacks, and their drivers for ESPnet2 and Lightning."""
