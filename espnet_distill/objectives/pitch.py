from espnet_distill.objectives.base import SquaredError


class Pitch(SquaredError):
    """Mean squared error of the predicted normalised token pitch."""

    taps = ("pitch",)
