"""Find and load ESPnet's ASR and speaker models for evaluation."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.evaluation.metrics import RATE
from espnet_distill.experiments.model_zoo import fetch_files, is_tag

SHORTEST = RATE // 2  # samples; front ends and subsampling require up to 0.2 s


def is_espnet(model: str) -> bool:
    """Return True for an ESPnet experiment folder, a checkpoint in one, or a tag."""
    path = Path(model)
    return (
        path.suffix == ".pth" or (path / "config.yaml").is_file() or is_tag(str(model))
    )


@dataclass(frozen=True)
class LocalModel:
    """A model whose files are on this machine.

    Attributes:
        files: Keyword arguments of its inference class: (name, path) pairs.
        rate: Sampling rate of its input in Hz.
        key: Strings that identify it by version and content.
    """

    files: tuple[tuple[str, str], ...]
    rate: int
    key: tuple[str, ...]


def find(model: str, prefix: str, usual: tuple[str, ...]) -> LocalModel:
    """Find an ESPnet model on disk; download it if it is a tag.

    Args:
        model: A folder, a checkpoint with `config.yaml` beside it, or a tag.
        prefix: Prefix of the inference arguments `train_config` and `model_file`.
        usual: Checkpoint names to try in a folder, in order.

    Raises:
        ConfigError: No such model, or its checkpoint lacks weights.
    """
    from espnet_distill.experiments.locate import locate
    from espnet_distill.utils.checksums import checksum
    from espnet_distill.utils.files import read_yaml

    if Path(model).exists() or not is_tag(model):
        paths = locate(model, usual)
        names = f"{prefix}train_config", f"{prefix}model_file"
        files = dict(zip(names, map(str, paths)))
    else:
        files = _download(model, f"{prefix}model_file")
    checksums = (
        checksum(Path(path)) for path in files.values() if Path(path).is_file()
    )
    conf = read_yaml(Path(files[f"{prefix}train_config"]))
    return LocalModel(
        tuple(files.items()), _rate(conf), (f"espnet {version('espnet')}", *checksums)
    )


def load(
    model: LocalModel, inference: Callable, checkpoint: str, module: Callable, **options
):
    """Instantiate an inference class and require all of its weights.

    Args:
        model: The model's files.
        inference: The inference class.
        checkpoint: Name of the keyword argument for the checkpoint.
        module: Returns the network of an instance.
        options: Further keyword arguments.

    Raises:
        ConfigError: ESPnet cannot build it, or the checkpoint lacks weights.
    """
    from espnet_distill.experiments.weights import is_fixed_buffer, load_weights

    files = dict(model.files)
    weights = load_weights(Path(files[checkpoint]))
    try:
        built = inference(**files, **options)
    except Exception as error:  # the configured classes may raise anything
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


def _download(tag: str, checkpoint: str) -> dict[str, str]:
    files = fetch_files(tag)
    if checkpoint not in files:
        raise ConfigError(f"{tag}: its archive lists no {checkpoint}: give another tag")
    return files


def _rate(conf: dict) -> int:
    """Return the sampling rate of a configuration in Hz; RATE without one."""
    from humanfriendly import parse_size

    rate = (conf.get("frontend_conf") or {}).get("fs")
    rate = rate or (conf.get("preprocessor_conf") or {}).get("sample_rate")
    return parse_size(str(rate)) if rate else RATE
