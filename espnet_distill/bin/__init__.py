"""Programs that job arrays run."""
