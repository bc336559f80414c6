"""How far long work is, and at what time of day it will end."""

from datetime import datetime, timedelta

from tqdm import tqdm


class watched(tqdm):
    """A tqdm that also says when it will end, as soon as it can tell."""

    def __init__(self, *args, **kwargs):
        shown = "{desc}: {percentage:3.0f}% {bar:20} {n_fmt}/{total_fmt} "
        shown += "[{elapsed} < {remaining}{ends}{postfix}]"
        super().__init__(*args, bar_format=shown, **kwargs)

    @property
    def format_dict(self) -> dict:
        told = super().format_dict
        if not (told["total"] and told["n"]):
            return told | {"ends": ""}
        left = (told["total"] - told["n"]) * told["elapsed"] / told["n"]
        end = datetime.now() + timedelta(seconds=left)
        return told | {"ends": f", ends {end:%H:%M}"}
