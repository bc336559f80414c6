"""Helpers that know neither ESPnet's models nor this package's."""
