"""Locate the recipe template, for `espnet-distill template`.

The scripts are in ``egs/TEMPLATE/tts1`` and the configurations in ``conf`` of the
source tree; a wheel contains both inside this package, in the same relative places.
"""

from pathlib import Path

from espnet_distill.errors import ConfigError

SCRIPTS = "egs/TEMPLATE/tts1"


def template_root() -> Path:
    """Return the folder that contains ``egs/TEMPLATE/tts1`` and ``conf``.

    Raises:
        ConfigError: The installation lacks them.
    """
    package = Path(__file__).parent
    for root in (package, package.parents[1]):  # a wheel, the sources
        if (root / SCRIPTS / "distill.sh").is_file():
            return root
    raise ConfigError(
        f"{package}: {SCRIPTS}/distill.sh is missing; install espnet_distill again"
    )
