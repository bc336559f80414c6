"""A page that shows an evaluation: what it is made of, and how it is drawn."""
