from espnet_distill.objectives.base import SquaredError


class Energy(SquaredError):
    """Mean squared error of the predicted normalised token energy."""

    taps = ("energy",)
