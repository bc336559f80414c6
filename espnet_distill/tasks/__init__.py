"""Tasks that ESPnet's programs run, and their models."""
