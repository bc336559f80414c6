"""Registry of callbacks, by their names in YAML."""

from collections.abc import Mapping
from importlib import import_module

from espnet_distill.entry_points import find
from espnet_distill.errors import ConfigError, ErrorCollector
from espnet_distill.training.callback import Callback

# Import paths, resolved on demand: training/ must not import pruning/.
CALLBACKS = {
    "bfloat16": "espnet_distill.training.bfloat16.Bfloat16",
    "prune": "espnet_distill.pruning.callback.PruningCallback",
}


def build_callback(conf: Mapping, where: str = "callbacks") -> Callback:
    """Build a callback from its YAML, e.g. `{type: prune, pressure: 0.5, end: 9000}`.

    Args:
        conf: `type`, a name in CALLBACKS or of another package's entry point, and the
            keys of its class.
        where: Prefix of error messages.

    Raises:
        ConfigError: The mapping is invalid, as far as is known without a model.
    """
    if not isinstance(conf, Mapping) or "type" not in conf:
        raise ConfigError(f"{where}: expected {{type: prune, …}}, got {conf!r}")
    options = dict(conf)
    name = options.pop("type")
    classes = {key: _load(path) for key, path in CALLBACKS.items()}
    kind = find("callbacks", name, classes, Callback, where)
    with ErrorCollector() as errors:
        callback = errors.check(
            kind.from_conf, options, name, where, where=f"{where}: "
        )
    return callback


def _load(path: str) -> type[Callback]:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
