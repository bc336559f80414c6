"""An experiment folder of one's own for a trained model that lies elsewhere."""

from pathlib import Path

from espnet_distill.portable import write_portable
from espnet_distill.teachers.checkpoint import find_experiment, read_config


def adopt(experiment: str, out: Path) -> Path:
    """Make a folder that has a trained model, and can be written to; return it.

    Its configuration names files by absolute paths, its checkpoint is a link. So
    tts.sh can decode with a model of the model zoo outside the zoo's cache.

    Args:
        experiment: What ``find_experiment`` takes, for instance a tag.
        out: The folder.

    Raises:
        ConfigError: No such experiment.
    """
    config, model = find_experiment(experiment)
    write_portable(read_config(config), out / "config.yaml")
    link = out / model.name
    link.unlink(missing_ok=True)
    link.symlink_to(model.resolve())
    return out
