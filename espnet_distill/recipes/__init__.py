"""Recipes: `init` for existing ESPnet recipes, and settings taken from a teacher."""
