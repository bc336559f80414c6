"""Prune a trained model without training."""

from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import require_new

ALLOCATIONS = ("params", "latency")


def prune(
    experiment: str | Path,
    out: str | Path,
    *,
    pressure: float,
    allocate_by: str = "params",
    merge: bool = False,
    low_rank: bool = False,
    data: str | Path | None = None,
    durations: str | Path | None = None,
) -> str:
    """Write a pruned copy of a trained experiment into a new folder.

    The folder gets ``config.yaml``, ``model.pth``, the statistics, and ``train.yaml``,
    a configuration that continues the training. The plugin is registered.

    Args:
        experiment: Experiment folder, ``.pth``, ``.zip`` or tag.
        out: The folder to make.
        pressure: Share of the parameters to remove, above 0 and below 1.
        allocate_by: ``params`` prunes all widths by one factor; ``latency`` prunes
            those widths more whose parameters take most time on this machine.
        merge: Fold the removed units into the remaining ones where possible.
        low_rank: Factorize layers into two of low rank instead of removing units.
        data: ESPnet data folder (``text``, ``wav.scp``) whose first utterances are the
            calibration data; None ranks units by their weights alone.
        durations: ESPnet durations file of ``data``: frames per token, for a model
            that is trained with durations.

    Returns:
        A Markdown report: parameters, file size (MB) and RTF before and after, the
        largest difference of the outputs, and what was pruned.

    Raises:
        ConfigError: Arguments that exclude each other, a class of model that cannot be
            pruned, a pressure that no widths or ranks reach, or data that the model
            cannot use. Nothing is written then.
    """
    out = Path(out)
    require_new(out)
    if not 0 < pressure < 1:
        raise ConfigError(f"--pressure: {pressure} is not above 0 and below 1")
    if allocate_by not in ALLOCATIONS:
        raise ConfigError(
            f"allocate_by: no {allocate_by!r}; there is {', '.join(ALLOCATIONS)}"
        )
    if low_rank and (merge or allocate_by != "params"):
        raise ConfigError(
            "--low-rank: takes no units; leave out --merge and --allocate-by"
        )
    import espnet_distill
    from espnet_distill.pruning.post_training.low_rank import prune_low_rank
    from espnet_distill.pruning.post_training.structured import prune_units

    espnet_distill.register()
    calibration = {
        "data": Path(data) if data else None,
        "durations": Path(durations) if durations else None,
    }
    if low_rank:
        return prune_low_rank(experiment, out, pressure=pressure, **calibration)
    return prune_units(
        experiment,
        out,
        pressure=pressure,
        allocate_by=allocate_by,
        merge=merge,
        **calibration,
    )
