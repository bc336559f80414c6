"""What every room uses: files, validation, progress."""
