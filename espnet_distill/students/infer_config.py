"""The configuration that says the sizes of a model that units were taken out of."""

from collections import Counter
from collections.abc import Mapping

from espnet2.tasks.tts import tts_choices
from espnet2.tts.abs_tts import AbsTTS

from espnet_distill.errors import ConfigError
from espnet_distill.structure.config_dims import ConfigDim, Shapes, shapes_of
from espnet_distill.structure.layer_stacks import depths
from espnet_distill.students.models.per_layer import KEYS, SUFFIX, attentions
from espnet_distill.students.registry import VARIANTS
from espnet_distill.students.size_search import Sizes


class ConfigSpace:
    """A choice of ``--tts`` and its configuration, without sizes of single layers."""

    def __init__(self, name: str, conf: Mapping, idim: int, odim: int):
        self.name = name.removesuffix(SUFFIX)
        self.conf = {key: value for key, value in conf.items() if key not in KEYS}
        self.kind: type[AbsTTS] = tts_choices.get_class(self.name)
        self.dims = {"idim": idim, "odim": odim}
        self.sizes = Sizes(self.kind, idim, odim, self.conf)
        self.shapes = shapes_of(self.build(self.conf))

    @property
    def config_dims(self) -> list[ConfigDim]:
        """Its sizes."""
        return self.sizes.config_dims

    def build(self, conf: Mapping) -> AbsTTS:
        """Build a model of the class without weights."""
        return self.sizes.build(conf)

    def without_layers(self, gone: Mapping[str, list[int]]) -> dict:
        """Return the configuration without some layers of some stacks.

        Raises:
            ConfigError: A stack that no key sets the depth of.
        """
        conf = dict(self.conf)
        whole = depths(self.shapes)
        for stack, numbers in gone.items():
            for key, changed in self._shallower():
                if depths(changed).get(stack, 0) < whole[stack]:
                    conf[key] = _without(conf.get(key, self.sizes.conf[key]), numbers)
                    break
            else:
                raise ConfigError(f"tts_conf: no key says how deep {stack} is")
        return conf

    def _shallower(self):
        """Yield the keys of depths, and parameter names of less deep models."""
        for config_dim in self.config_dims:
            if config_dim.is_depth:
                yield config_dim.key, config_dim.halved
        for key, value in self.sizes.conf.items():
            if isinstance(value, (list, tuple)) and len(value) > 1:
                shorter = self.sizes.conf | {key: list(value[:-1])}
                yield key, shapes_of(self.build(shorter))

    def infer_config(
        self, wanted: Shapes, heads: Mapping[str, int]
    ) -> tuple[str, dict]:
        """Return the choice and the configuration of a model of such shapes.

        Args:
            wanted: Shapes of all its parameters.
            heads: Attention → how many heads it has.

        Returns:
            Its name, a stock one where a stock configuration can say these shapes, and
            its configuration.

        Raises:
            ConfigError: Shapes that no class has.
        """
        new = {
            config_dim.key: _value(config_dim, self.shapes, wanted)
            for config_dim in self._widths()
        }
        new = {key: n for key, n in new.items() if n != self.sizes.conf[key]}
        new |= self._heads(new, wanted, heads)
        model = self.build(self.conf | new)
        own = _own_sizes(shapes_of(model), wanted)
        own_heads = {
            path: heads[path]
            for path, attention in attentions(model).items()
            if heads[path] != attention.h
        }
        if not own and not own_heads:
            return self.name, self.conf | new
        name = self.name + SUFFIX
        if name not in VARIANTS:
            raise ConfigError(
                f"{self.name}: its layers cannot have sizes of their own; --stock "
                "gives them one size"
            )
        for key, value in zip(KEYS, (own, own_heads)):
            if value:
                new[key] = value
        return name, self.conf | new

    def _widths(self) -> list[ConfigDim]:
        return [
            config_dim for config_dim in self.config_dims if not config_dim.is_depth
        ]

    def _heads(
        self, new: Mapping, wanted: Shapes, heads: Mapping[str, int]
    ) -> dict[str, int]:
        """The key of heads, if another number fits better: all have it, or any can."""
        before = self.sizes.conf.get("aheads")
        if before is None:
            return {}
        adim = new.get("adim", self.sizes.conf["adim"])
        channels = {wanted[f"{path}.linear_q.weight"][0] for path in heads}
        if channels == {adim} and len(set(heads.values())) == 1:
            found = next(iter(heads.values()))
        else:
            found = 1 if adim % before else before
        return {"aheads": found} if found != before else {}


def _without(value, numbers: list[int]):
    """A depth, or what is said of each layer, without some of the layers."""
    if isinstance(value, int):
        return value - len(numbers)
    return [item for n, item in enumerate(value) if n not in numbers]


def _value(config_dim: ConfigDim, stock: Shapes, wanted: Shapes) -> int:
    """The value that most of a config dimension's axes have; the larger one of two."""
    votes = Counter(
        config_dim.value * wanted[name][dim] // length
        for (name, dim), length in config_dim.own_axes(stock).items()
        if config_dim.value * wanted[name][dim] % length == 0
    )
    return max(votes, key=lambda value: (votes[value], value), default=config_dim.value)


def _own_sizes(found: Shapes, wanted: Shapes) -> dict[str, list[int]]:
    """First lengths of the weights of those modules that have not their wanted size."""
    own = {}
    for name, shape in wanted.items():
        module, _, kind = name.rpartition(".")
        if found[name] != shape and not kind.startswith("pos_bias"):
            own[module] = list(wanted[f"{module}.weight"][:2])
    return own
