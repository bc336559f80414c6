"""What recipes share, and how a recipe that exists comes to distil."""
