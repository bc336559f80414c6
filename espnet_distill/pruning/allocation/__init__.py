"""Allocation: the number of units, ranks or channels that each layer keeps."""
