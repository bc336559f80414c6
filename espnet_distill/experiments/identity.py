"""The identity of an experiment by content, recorded beside each result."""

from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.checksums import checksum, checksum_of
from espnet_distill.utils.files import read_text, read_yaml

MADE_FROM = "made_from"


def checksums_of(model: Path) -> dict[str, str]:
    """Return checksums of a checkpoint and of the configuration beside it.

    The configuration's checksum includes the sentencepiece model that it names.
    """
    config = model.with_name("config.yaml")
    checksums = {"checkpoint": checksum(model), "config": checksum(config)}
    bpemodel = (read_yaml(config) or {}).get("bpemodel")
    if bpemodel and Path(bpemodel).is_file():
        checksums["config"] = checksum_of([checksums["config"], checksum(bpemodel)])
    return checksums


def require_made_from(result: Path, model: Path) -> None:
    """Raise a ConfigError if a result was made from another model.

    Args:
        result: A folder; without a record `made_from` in it, the check is skipped.
        model: The checkpoint, with its configuration beside it.
    """
    path = result / MADE_FROM
    if not path.is_file():
        return
    lines = (line.partition(": ") for line in read_text(path).splitlines())
    recorded = {name: value for name, _, value in lines}
    for name, value in checksums_of(model).items():
        if recorded.get(name, value) != value:
            raise ConfigError(
                f"{result}: was made with another {name} than that of {model} is now; "
                "synthesize again, by stage 7 of distill.sh or stage 8 of tts.sh"
            )
