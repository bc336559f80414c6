"""Make an experiment folder of a packed model or of a tag."""

import os
from pathlib import Path

import yaml

from espnet_distill.experiments import archive
from espnet_distill.experiments.archive import copy_into, with_own_names
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.locate import USUAL_NAMES
from espnet_distill.experiments.model_zoo import FETCHED, describe_fetched, is_tag
from espnet_distill.experiments.portable_config import write_portable
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.files import write_text, written_whole


def unpack(model: str | Path, out: str | Path) -> Experiment:
    """Make an experiment folder of a packed model or of any other experiment.

    A folder that was made from the same model before is left as it is.

    Args:
        model: A ``.zip`` that ``espnet2.bin.pack`` made, whose files are unpacked under
            fixed names; or an experiment folder, ``.pth`` or tag, whose checkpoint is
            linked.
        out: The folder to make.

    Returns:
        The experiment in the folder.

    Raises:
        ConfigError: No such model, a broken archive, or a folder ``out`` that holds
            something else.
    """
    out = Path(out)
    if Path(model).suffix == ".zip":
        archive.unpack(Path(model), out)
    else:
        adopt(str(model), out)
    return Experiment(out)


def adopt(experiment: str, out: Path) -> Path:
    """Create a writable experiment folder for a trained model; return the folder.

    `config.yaml` names files by absolute paths; files of the front end and of the
    normalization are copied under fixed names; the checkpoint is a link. tts.sh can
    thus decode with a model of the model zoo outside the zoo's cache. A second call
    updates the folder. For a tag, `fetched.yaml` records the model that it resolved to.

    Args:
        experiment: An experiment, in any form that :class:`Experiment` opens.
        out: The folder.

    Raises:
        ConfigError: There is no such experiment.
    """
    opened = Experiment(experiment)
    link, model = out / USUAL_NAMES[0], opened.checkpoint.resolve()
    conf = with_own_names(opened.config, copy_into(out), out.absolute())
    write_portable(conf, out / "config.yaml")
    if link.resolve() != model:
        if is_tag(experiment):
            record = describe_fetched(experiment, opened.checkpoint)
            record |= {"sha256": checksum(model)}
            write_text(out / FETCHED, yaml.safe_dump(record, sort_keys=False))
        with written_whole(link) as beside:
            os.symlink(model, beside)
    return out
