"""What ``espnet-distill check`` looks at."""
