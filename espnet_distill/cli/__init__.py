"""The commands of ``espnet-distill``, a file each."""
