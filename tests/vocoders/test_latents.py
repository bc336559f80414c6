"""Dumps of latents: their specification, and files that are incomplete."""

import numpy as np
import pytest
import soundfile

from espnet_distill.errors import ConfigError
from espnet_distill.vocoders.latents import (
    FREE_PHASE,
    LISTS,
    LatentSpec,
    write_specification,
)

RATE, HOP = 16000, 256
SPEC = LatentSpec(RATE, HOP, 4, 0, "0" * 64)


def make_set(folder):
    """Write a set of one utterance with a component of free phases."""
    (folder / "wav").mkdir(parents=True)
    np.save(folder / "latents.npy", np.ones((3, 4), np.float32))
    np.save(folder / "f0.npy", np.ones(3, np.float32))
    np.save(folder / "free_phase.npy", np.ones(3 * HOP, np.float32))
    soundfile.write(folder / "teacher_wave.wav", np.zeros(3 * HOP), RATE)
    for name, (scp, kind) in (LISTS | {"free_phase": FREE_PHASE}).items():
        file = folder / f"{name}.{'wav' if kind == 'sound' else 'npy'}"
        (folder / scp).write_text(f"a {file}\n")
    write_specification(folder, SPEC, {"a": str(folder / "latents.npy")})
    return folder


@pytest.mark.parametrize("name", [*LISTS, "free_phase"])
def test_a_file_that_is_incomplete_is_refused(name, tmp_path):
    folder = make_set(tmp_path / "train")
    assert LatentSpec.of_set(folder) == SPEC
    (path,) = folder.glob(f"{name}.*[vy]")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(
        ConfigError, match=f"is missing or incomplete; dump the {name} "
    ):
        LatentSpec.of_set(folder)


def test_a_component_of_free_phases_may_be_missing(tmp_path):
    folder = make_set(tmp_path / "train")
    (folder / FREE_PHASE[0]).unlink()
    assert LatentSpec.of_set(folder) == SPEC
