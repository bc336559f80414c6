from espnet_distill.objectives.laplace import LaplaceMatch


class Duration(LaplaceMatch):
    """Distance of the predicted log-durations, log(1 + frames)."""

    taps = ("duration",)
