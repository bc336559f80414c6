"""Prune a trained model without training."""

from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment

ALLOCATIONS = ("params", "latency")


def prune(
    experiment: Experiment | str | Path,
    *,
    pressure: float,
    allocate_by: str = "params",
    merge: bool = False,
    low_rank: bool = False,
    data: str | Path | None = None,
    durations: str | Path | None = None,
    speaker: str | None = None,
) -> Experiment:
    """Prune a trained model.

    Args:
        experiment: An experiment, or a folder, ``.pth``, ``.zip`` or tag of one.
        pressure: Share of the parameters to remove, above 0 and below 1.
        allocate_by: ``params`` prunes all widths by one factor; ``latency`` prunes
            those widths more whose parameters take most time on this machine.
        merge: Fold the removed units into the remaining ones where possible.
        low_rank: Factorize layers into two of low rank instead of removing units.
        data: ESPnet data folder (``text``, ``wav.scp``) whose first utterances are the
            calibration data; None ranks units by their weights alone.
        durations: ESPnet durations file of ``data``: frames per token, for a model
            that is trained with durations.
        speaker: Name of the one speaker that is kept of several; the pressure then
            refers to the model of that speaker.

    Returns:
        The pruned experiment in memory. :meth:`~.Experiment.save` writes it,
        :func:`~.compare` measures it, its ``notes`` say what was pruned.

    Raises:
        ConfigError: Arguments that exclude each other, a class of model that cannot be
            pruned, a pressure that no widths or ranks reach, or data that the model
            cannot use.
    """
    if not 0 < pressure < 1:
        raise ConfigError(f"--pressure: {pressure} is not above 0 and below 1")
    if allocate_by not in ALLOCATIONS:
        raise ConfigError(
            f"allocate_by: no {allocate_by!r}; there is {', '.join(ALLOCATIONS)}"
        )
    if low_rank and (merge or allocate_by != "params"):
        raise ConfigError(
            "--low-rank: removes no units; leave out --merge and --allocate-by"
        )
    import espnet_distill

    espnet_distill.register()
    experiment = Experiment.of(experiment)
    if speaker:
        from espnet_distill.students.one_speaker import one_speaker

        experiment = one_speaker(experiment, speaker)
    if low_rank:
        from espnet_distill.pruning.post_training.low_rank import prune_low_rank

        return prune_low_rank(experiment, pressure, data, durations)

    from espnet_distill.pruning.post_training.structured import prune_units

    return prune_units(experiment, pressure, data, durations, allocate_by, merge)
