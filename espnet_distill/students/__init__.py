"""Student models, their sizes, and their initialization from a teacher."""
