"""Every model that ESPnet's recipes configure, at its real size."""

import math

import pytest

from .configurations import (
    COMMANDS,
    TEXT2WAV,
    Configuration,
    commands_for,
    experiment_of,
    find_configurations,
    read,
    recipe_tree,
    run,
    table,
)

FOUND = find_configurations(recipe_tree()) if recipe_tree() else []
# The largest of three classes, each with style tokens and a speaker embedding.
LARGEST = {
    "aishell3/train": "prune",
    "aishell3/train_gst+xvector_transformer": "derive",
    "aishell3/train_gst+xvector_conformer_fastspeech2": (
        "callback with residual width, compact"
    ),
}
REFUSALS = ("does not support", "no taps", "no training configuration", "not removed")
pytestmark = pytest.mark.skipif(
    not FOUND, reason="ESPnet's recipes are not here: espnet-distill espnet-root"
)


def try_commands(configuration: Configuration, commands, folder):
    """Run commands and see that each does what it is asked, or refuses in a line."""
    experiment = experiment_of(configuration, folder / "exp")
    for number, command in enumerate(commands):
        result = run(configuration, command, experiment, folder / f"out{number}")
        expected = [
            one
            for one in read()
            if (one.tts, one.name, one.command)
            == (configuration.tts, configuration.name, command)
        ]
        if result.after:
            assert abs(result.pressure - COMMANDS[command]) < 0.01, result
            assert not result.difference or math.isfinite(float(result.difference))
        assert [one.loads for one in expected] in ([], [result.loads])
        if command in ("derive", "prune") and result.after:
            assert result.loads == "stock"
        yield result


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest(name, tmp_path):
    (configuration,) = [one for one in FOUND if one.name == name]
    (result,) = try_commands(configuration, [LARGEST[name]], tmp_path)
    assert result.loads == "stock" and result.before > 27e6


@pytest.mark.parametrize(
    "configuration",
    [one for one in FOUND if one.tts in TEXT2WAV][::10],
    ids=lambda one: one.name,
)
def test_models_of_waveforms_are_refused(configuration, tmp_path):
    for result in try_commands(configuration, commands_for(configuration), tmp_path):
        assert not result.after and "\n" not in result.loads
        assert any(words in result.loads for words in REFUSALS), result.loads


@pytest.mark.slow
@pytest.mark.parametrize("configuration", FOUND, ids=lambda one: one.name)
def test_every_command(configuration, tmp_path):
    commands = commands_for(configuration)
    is_taken = configuration.tts not in (*TEXT2WAV, "prodiff")
    for result in try_commands(configuration, commands, tmp_path):
        if result.command in ("derive", "prune"):
            assert bool(result.after) == is_taken


@pytest.mark.slow
def test_the_table_has_a_line_for_each():
    lines = table().splitlines()
    for one in FOUND:
        assert any(line.startswith(f"| {one.tts}, {one.name} |") for line in lines)
