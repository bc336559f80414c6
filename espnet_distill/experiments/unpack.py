"""Make an experiment folder of a packed model or of a tag."""

from pathlib import Path

from espnet_distill.experiments import archive


def unpack(model: str | Path, out: str | Path) -> Path:
    """Make an experiment folder of a packed model or of any other experiment.

    A folder that was made from the same model before is left as it is.

    Args:
        model: A ``.zip`` that ``espnet2.bin.pack`` made, whose files are unpacked under
            fixed names; or an experiment folder, ``.pth`` or tag, whose checkpoint is
            linked.
        out: The folder to make.

    Returns:
        The folder.

    Raises:
        ConfigError: No such model, a broken archive, or a folder ``out`` that holds
            something else.
    """
    out = Path(out)
    if Path(model).suffix == ".zip":
        return archive.unpack(Path(model), out)
    from espnet_distill.experiments.experiment import adopt

    return adopt(str(model), out)
