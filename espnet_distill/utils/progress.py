"""Progress bars with the time of day at which the work will end."""

from tqdm import tqdm

BAR_FORMAT = (
    "{desc}: {percentage:3.0f}% {bar:20} {n_fmt}/{total_fmt} [{elapsed} < {remaining}"
)


class progress_bar(tqdm):
    """A tqdm that also shows the estimated time of day of the end."""

    @property
    def format_dict(self) -> dict:
        values = super().format_dict
        ends = ", ends {eta:%H:%M}" if values["total"] and values["n"] else ""
        return values | {"bar_format": BAR_FORMAT + ends + "{postfix}]"}
