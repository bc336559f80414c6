"""How far long work is, and at what time of day it will end."""

from tqdm import tqdm

SHOWN = (
    "{desc}: {percentage:3.0f}% {bar:20} {n_fmt}/{total_fmt} [{elapsed} < {remaining}"
)


class progress_bar(tqdm):
    """A tqdm that also says when it will end, as soon as it can tell."""

    @property
    def format_dict(self) -> dict:
        told = super().format_dict
        ends = ", ends {eta:%H:%M}" if told["total"] and told["n"] else ""
        return told | {"bar_format": SHOWN + ends + "{postfix}]"}
