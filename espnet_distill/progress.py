"""How far long work is, and at what time of day it will end."""

import functools

from tqdm import tqdm

watched = functools.partial(
    tqdm,
    bar_format="{desc}: {percentage:3.0f}% {bar:20} {n_fmt}/{total_fmt} "
    "[{elapsed} < {remaining}, ends {eta:%H:%M}{postfix}]",
)
