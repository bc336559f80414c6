"""Infer the configuration of a pruned model from its shapes."""

from collections import Counter
from collections.abc import Mapping

from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.errors import ConfigError
from espnet_distill.structure.config_dims import ConfigDim, Shapes, shapes_of
from espnet_distill.structure.layer_stacks import depths
from espnet_distill.students.models.per_layer import (
    KEYS,
    SUFFIX,
    attentions,
    has_sizes,
)
from espnet_distill.students.registry import VARIANTS
from espnet_distill.students.size_search import Sizes


class ConfigSpace:
    """The configurations of a choice of ``--tts``, without per-layer sizes."""

    def __init__(self, name: str, conf: Mapping, idim: int, odim: int):
        from espnet2.tasks.tts import tts_choices  # may import the plugin's task

        self.name = name.removesuffix(SUFFIX)
        self.conf = {key: value for key, value in conf.items() if key not in KEYS}
        self.kind: type[AbsTTS] = tts_choices.get_class(self.name)
        self.dims = {"idim": idim, "odim": odim}
        self.sizes = Sizes(self.kind, idim, odim, self.conf)
        self.shapes = shapes_of(self.build(self.conf))

    @property
    def config_dims(self) -> list[ConfigDim]:
        """Return its config dimensions."""
        return self.sizes.config_dims

    def build(self, conf: Mapping) -> AbsTTS:
        """Build a model of the class without weights."""
        return self.sizes.build(conf)

    def without_layers(self, removed: Mapping[str, list[int]]) -> dict:
        """Return the configuration without some layers of some stacks.

        Args:
            removed: Stack → numbers of the layers that are removed.

        Raises:
            ConfigError: A stack whose depth is set by no key.
        """
        conf = dict(self.conf)
        depth_before = depths(self.shapes)
        for stack, numbers in removed.items():
            for key, changed in self._shallower():
                if depths(changed).get(stack, 0) < depth_before[stack]:
                    conf[key] = _without(conf.get(key, self.sizes.conf[key]), numbers)
                    break
            else:
                raise ConfigError(f"tts_conf: no key sets the depth of {stack}")
        return conf

    def _shallower(self):
        """Yield the keys of depths, and the shapes of shallower models."""
        for config_dim in self.config_dims:
            if config_dim.is_depth:
                yield config_dim.key, config_dim.halved
        for key, value in self.sizes.conf.items():
            if isinstance(value, (list, tuple)) and len(value) > 1:
                shorter = self.sizes.conf | {key: list(value[:-1])}
                yield key, shapes_of(self.build(shorter))

    def infer_config(
        self, shapes: Shapes, heads: Mapping[str, int]
    ) -> tuple[str, dict]:
        """Return the ``--tts`` and the configuration of a model of given shapes.

        Args:
            shapes: Shapes of all its parameters.
            heads: Attention layer → its number of heads.

        Returns:
            Its name, a stock one if a stock configuration has these shapes, and its
            configuration.

        Raises:
            ConfigError: Shapes that no class has.
        """
        new = {
            config_dim.key: _infer_value(config_dim, self.shapes, shapes)
            for config_dim in self._widths()
        }
        new = {key: n for key, n in new.items() if n != self.sizes.conf[key]}
        new |= self._infer_heads(new, shapes, heads)
        model = self.build(self.conf | new)
        layer_sizes = _differing_sizes(model, shapes)
        layer_heads = {
            path: heads[path]
            for path, attention in attentions(model).items()
            if heads[path] != attention.h
        }
        if not layer_sizes and not layer_heads:
            return self.name, self.conf | new
        name = self.name + SUFFIX
        if name not in VARIANTS:
            raise ConfigError(
                f"{self.name}: its layers cannot have sizes of their own; "
                "--stock-compatible gives them one size"
            )
        for key, value in zip(KEYS, (layer_sizes, layer_heads)):
            if value:
                new[key] = value
        return name, self.conf | new

    def _widths(self) -> list[ConfigDim]:
        return [
            config_dim for config_dim in self.config_dims if not config_dim.is_depth
        ]

    def _infer_heads(
        self, new: Mapping, shapes: Shapes, heads: Mapping[str, int]
    ) -> dict[str, int]:
        """Return ``aheads`` if it must change.

        It is the number of heads of all layers if that is one, else 1 if the present
        value does not divide ``adim``.
        """
        before = self.sizes.conf.get("aheads")
        if before is None:
            return {}
        adim = new.get("adim", self.sizes.conf["adim"])
        channels = {shapes[f"{path}.linear_q.weight"][0] for path in heads}
        if channels == {adim} and len(set(heads.values())) == 1:
            number = next(iter(heads.values()))
        else:
            number = 1 if adim % before else before
        return {"aheads": number} if number != before else {}


def _without(value, numbers: list[int]):
    """Return a depth, or a list of one value a layer, without some of the layers."""
    if isinstance(value, int):
        return value - len(numbers)
    return [item for n, item in enumerate(value) if n not in numbers]


def _infer_value(config_dim: ConfigDim, stock: Shapes, shapes: Shapes) -> int:
    """Return the most frequent value over the axes, the largest in case of a tie.

    Args:
        config_dim: The config dimension.
        stock: Shapes at its present value.
        shapes: Shapes of the model.
    """
    votes = Counter(
        config_dim.value * shapes[name][dim] // length
        for (name, dim), length in config_dim.own_axes(stock).items()
        if config_dim.value * shapes[name][dim] % length == 0
    )
    return max(votes, key=lambda value: (votes[value], value), default=config_dim.value)


def _differing_sizes(model: AbsTTS, shapes: Shapes) -> dict[str, list[int]]:
    """Return the first two lengths of the weights of modules whose shapes differ.

    Raises:
        ConfigError: A parameter that is of no module with a size of its own, such as
            style tokens.
    """
    sizes = {}
    for name, shape in shapes_of(model).items():
        path, _, kind = name.rpartition(".")
        if shapes[name] != shape and not kind.startswith("pos_bias"):
            if not has_sizes(model.get_submodule(path)):
                raise ConfigError(
                    f"tts_conf.sizes: {name} cannot be {shapes[name]} instead of "
                    f"{shape}; only linear layers, convolutions and normalizations "
                    "have sizes of their own"
                )
            sizes[path] = list(shapes[f"{path}.weight"][:2])
    return sizes
