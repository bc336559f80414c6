from espnet_distill.objectives.laplace import LaplaceMatch


class Pitch(LaplaceMatch):
    """Distance of the predicted token pitch, in the student's normalised space."""

    taps = ("pitch",)
