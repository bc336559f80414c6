"""A page to try a voice in a browser, without a server and without a network."""
