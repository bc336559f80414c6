"""Utterances, audio and text that models are trained and measured on."""
