"""Importance criteria: what ranks units."""
