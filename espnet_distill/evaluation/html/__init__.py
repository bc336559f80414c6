"""Render an evaluation as an HTML page and as Markdown."""
