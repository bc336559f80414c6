"""Which sizes a model has, which indices go together, and how to take some away."""
