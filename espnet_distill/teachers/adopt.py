"""An experiment folder of one's own for a trained model that lies elsewhere."""

import os
from pathlib import Path

from espnet_distill.files import written_whole
from espnet_distill.portable import write_portable
from espnet_distill.teachers.checkpoint import (
    USUAL_NAMES,
    find_experiment,
    read_config,
)


def adopt(experiment: str, out: Path) -> Path:
    """Make a folder that has a trained model, and can be written to; return it.

    Its configuration names files by absolute paths, its checkpoint is a link. So
    tts.sh can decode with a model of the model zoo outside the zoo's cache. Made
    again, it is the same folder; of another model, it has that one.

    Args:
        experiment: What ``find_experiment`` takes, for instance a tag.
        out: The folder.

    Raises:
        ConfigError: No such experiment.
    """
    config, model = find_experiment(experiment)
    link, model = out / USUAL_NAMES[0], model.resolve()
    if link.resolve() != model or not (out / "config.yaml").is_file():
        write_portable(read_config(config), out / "config.yaml")
        with written_whole(link) as beside:
            os.symlink(model, beside)
    return out
