"""Student models, and models cut out of their teacher."""
