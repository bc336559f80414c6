"""Registry of importance criteria, by their names in YAML."""

from espnet_distill.pruning.criteria.base import Criterion
from espnet_distill.pruning.criteria.gradient import Movement, Taylor
from espnet_distill.pruning.criteria.wanda import Wanda

CRITERIA: dict[str, type[Criterion]] = {
    "magnitude": Criterion,
    "wanda": Wanda,
    "movement": Movement,
    "taylor": Taylor,
}
