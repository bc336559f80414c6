"""What a model costs and how it sounds: size, speed, and the quality of its speech."""
