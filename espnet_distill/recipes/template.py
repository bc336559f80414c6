"""`espnet-distill template`: where what recipes share is.

Its scripts stand in ``egs/TEMPLATE/tts1`` and its configurations in ``conf`` of the
sources, and a wheel carries both inside this package, at the same places to each other.
"""

from pathlib import Path

from espnet_distill.errors import ConfigError

SCRIPTS = "egs/TEMPLATE/tts1"


def template_root() -> Path:
    """Return the folder that holds ``egs/TEMPLATE/tts1`` and ``conf``.

    Raises:
        ConfigError: An installation that lacks them.
    """
    package = Path(__file__).parent
    for root in (package, package.parents[1]):  # a wheel, the sources
        if (root / SCRIPTS / "distill.sh").is_file():
            return root
    raise ConfigError(
        f"{package}: {SCRIPTS}/distill.sh is missing; install espnet_distill again"
    )
