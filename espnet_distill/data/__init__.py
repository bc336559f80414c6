"""Utterances, audio, alignments and calibration batches."""
