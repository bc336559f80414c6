from espnet_distill.objectives.laplace import LaplaceMatch


class Energy(LaplaceMatch):
    """Distance of the predicted token energy, in the student's normalised space."""

    taps = ("energy",)
