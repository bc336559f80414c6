from espnet_distill.objectives.base import SquaredError


class Duration(SquaredError):
    """Mean squared error of the predicted log-durations, log(1 + frames)."""

    taps = ("duration",)
