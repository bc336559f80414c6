"""Take structure away while a model trains, and out of it afterwards."""
