"""Record of the plugin's options, beside ESPnet's config.yaml."""

import logging
from pathlib import Path

import torch
import yaml

from espnet_distill import version
from espnet_distill.utils.files import write_text


def write_record(output_dir: Path, record: dict) -> None:
    """Write distill.yaml, for users and later commands, in the process of rank 0."""
    if torch.distributed.is_initialized() and torch.distributed.get_rank() > 0:
        return
    path = Path(output_dir) / "distill.yaml"
    write_text(path, yaml.safe_dump({"version": version(), **record}, sort_keys=False))
    logging.info(f"Saving the plugin's options in {path}")
