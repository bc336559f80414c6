"""An experiment folder of one's own for a trained model that lies elsewhere."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from espnet_distill.experiments.archive import with_own_names
from espnet_distill.files import write_text, written_whole
from espnet_distill.portable import write_portable
from espnet_distill.teachers.checkpoint import (
    USUAL_NAMES,
    find_experiment,
    read_config,
)
from espnet_distill.teachers.model_zoo import FETCHED, describe_fetched, is_tag
from espnet_distill.utils.checksums import checksum


def adopt(experiment: str, out: Path) -> Path:
    """Make a folder that has a trained model, and can be written to; return it.

    Its configuration names files by absolute paths, those that a front end or a
    normalization reads under names of our own; its checkpoint is a link. So tts.sh can
    decode with a model of the model zoo outside the zoo's cache. Made again, it is the
    same folder; of another model, it has that one. What a tag led to stands in
    `fetched.yaml`.

    Args:
        experiment: What ``find_experiment`` takes, for instance a tag.
        out: The folder.

    Raises:
        ConfigError: No such experiment.
    """
    config, found = find_experiment(experiment)
    link, model = out / USUAL_NAMES[0], found.resolve()
    conf = with_own_names(read_config(config), _copy_to(out), out.absolute())
    write_portable(conf, out / "config.yaml")
    if link.resolve() != model:
        if is_tag(experiment):
            record = describe_fetched(experiment, found) | {"sha256": checksum(model)}
            write_text(out / FETCHED, yaml.safe_dump(record, sort_keys=False))
        with written_whole(link) as beside:
            os.symlink(model, beside)
    return out


def _copy_to(out: Path) -> Callable[[str, str], bool]:
    def copy(source: str, name: str) -> bool:
        if not Path(source).is_file():
            return False
        with written_whole(out / name) as beside:
            shutil.copyfile(source, beside)
        return True

    return copy
