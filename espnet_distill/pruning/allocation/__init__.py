"""How many units, ranks or channels each layer keeps."""
