"""What a result of an experiment was made from, kept beside the result."""

from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.utils.checksums import checksum, checksum_of
from espnet_distill.utils.files import read_text, read_yaml

MADE_FROM = "made_from"


def checksums_of(model: Path) -> dict[str, str]:
    """Return checksums of a checkpoint and of the configuration beside it.

    The configuration counts with the sentencepiece model that it names.
    """
    config = model.with_name("config.yaml")
    found = {"checkpoint": checksum(model), "config": checksum(config)}
    bpemodel = (read_yaml(config) or {}).get("bpemodel")
    if bpemodel and Path(bpemodel).is_file():
        found["config"] = checksum_of([found["config"], checksum(bpemodel)])
    return found


def require_made_from(result: Path, model: Path) -> None:
    """Raise a ConfigError if a result was made from another model.

    Args:
        result: A folder; if it has no such record, nothing is known.
        model: The checkpoint, beside its configuration.
    """
    path = result / MADE_FROM
    if not path.is_file():
        return
    lines = (line.partition(": ") for line in read_text(path).splitlines())
    found = {name: value for name, _, value in lines}
    for name, value in checksums_of(model).items():
        if found.get(name, value) != value:
            raise ConfigError(
                f"{result}: was made with another {name} than that of {model} is now; "
                "synthesize again, by stage 7 of distill.sh or stage 8 of tts.sh"
            )
