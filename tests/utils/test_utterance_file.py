"""File names made from utterance ids stay in their folder."""

import pytest

from espnet_distill.errors import ConfigError
from espnet_distill.evaluation.score import copy_speech
from espnet_distill.teachers.dump_writer import TapFiles
from espnet_distill.utils.files import utterance_file
from espnet_distill.vocoders.dump import WaveFiles

OUTSIDE = "../../evil"
NO_NAMES = ["", ".", "..", "/a", "a/b", OUTSIDE, "a\0", "a\n"]


@pytest.mark.parametrize("utterance", ["a1", "LJ001-0001", "a.b", "\u97f3 1", "..a"])
def test_valid_file_names(utterance, tmp_path):
    assert utterance_file(tmp_path, utterance, ".npy").name == f"{utterance}.npy"


@pytest.mark.parametrize("utterance", NO_NAMES)
def test_invalid_file_names_are_refused(utterance, tmp_path):
    with pytest.raises(ConfigError, match="is no file name; take ids without /"):
        utterance_file(tmp_path, utterance, ".npy")


@pytest.mark.parametrize(
    "place",
    [
        lambda folder: TapFiles(folder, ("mel",)).has(OUTSIDE),
        lambda folder: WaveFiles(folder).has(OUTSIDE),
        lambda folder: copy_speech(folder, {"teacher": {OUTSIDE: folder / "a.wav"}}),
    ],
    ids=["teacher dump", "dump of waves", "evaluation"],
)
def test_every_writer_refuses_invalid_ids(place, tmp_path):
    with pytest.raises(ConfigError, match=f"'{OUTSIDE}': is no file name"):
        place(tmp_path)
