"""ESPnet's own recognisers and speaker models, to judge speech with."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.experiments.model_zoo import fetch_files, is_tag


def is_espnet(model: str) -> bool:
    """Tell an ESPnet experiment, a checkpoint in one, or a tag from other names."""
    path = Path(model)
    return (
        path.suffix == ".pth" or (path / "config.yaml").is_file() or is_tag(str(model))
    )


@dataclass(frozen=True)
class Found:
    """A model that is on this machine.

    Attributes:
        files: The keyword arguments of its inference class, in pairs.
        rate: The sampling rate that it hears.
        key: Words that tell it from any other.
    """

    files: tuple[tuple[str, str], ...]
    rate: int
    key: tuple[str, ...]


def find(model: str, prefix: str, usual: tuple[str, ...]) -> Found:
    """Find an ESPnet model, and fetch it if it is a tag.

    Args:
        model: A folder, a checkpoint with `config.yaml` beside it, or a tag.
        prefix: What its inference class has before `train_config` and `model_file`.
        usual: The checkpoints that are looked for in a folder, the first one first.

    Raises:
        ConfigError: No such model, or one whose checkpoint lacks weights.
    """
    from espnet_distill.experiments.experiment import find_experiment
    from espnet_distill.utils.checksums import checksum
    from espnet_distill.utils.files import read_yaml

    if Path(model).exists() or not is_tag(model):
        paths = find_experiment(model, usual)
        names = f"{prefix}train_config", f"{prefix}model_file"
        files = dict(zip(names, map(str, paths)))
    else:
        files = _fetch(model, f"{prefix}model_file")
    digests = (checksum(Path(path)) for path in files.values() if Path(path).is_file())
    conf = read_yaml(Path(files[f"{prefix}train_config"]))
    return Found(
        tuple(files.items()), _rate(conf), (f"espnet {version('espnet')}", *digests)
    )


def load(
    found: Found, inference: Callable, checkpoint: str, module: Callable, **options
):
    """Build an inference class, and see that the checkpoint has all of its weights.

    Args:
        found: The model.
        inference: The class.
        checkpoint: The keyword argument that is the checkpoint.
        module: Gives the network that an object of the class runs.
        options: Further keyword arguments.

    Raises:
        ConfigError: ESPnet cannot build it, or would leave weights random.
    """
    from espnet_distill.experiments.experiment import is_fixed_buffer, load_weights

    files = dict(found.files)
    weights = load_weights(Path(files[checkpoint]))
    try:
        built = inference(**files, **options)
    except Exception as error:  # whatever the classes in the configuration raise
        raise ConfigError(
            f"{files[checkpoint]}: cannot be built: {summarize(error)}"
        ) from error
    network = module(built)
    missing = sorted(
        key
        for key in network.state_dict().keys() - weights.keys()
        if not is_fixed_buffer(network, key)
    )
    if missing:
        raise ConfigError(
            f"{files[checkpoint]}: lacks {len(missing)} keys of the model that its "
            f"config.yaml describes, the first {missing[0]}"
        )
    return built


def _fetch(tag: str, wanted: str) -> dict[str, str]:
    files = fetch_files(tag)
    if wanted not in files:
        raise ConfigError(f"{tag}: is a model of another kind: it has no {wanted}")
    return files


def _rate(conf: dict) -> int:
    """The sampling rate of a configuration that says one, else 16 kHz."""
    from humanfriendly import parse_size

    said = (conf.get("frontend_conf") or {}).get("fs")
    said = said or (conf.get("preprocessor_conf") or {}).get("sample_rate")
    return parse_size(str(said)) if said else 16000
