"""Helpers that are independent of models: files, validation, processes, progress."""
