"""ProDiff as a student: it is distilled, and pruned by single weights only."""

import pytest
import torch

from espnet_distill.errors import ConfigError
from espnet_distill.tasks.checks.check import check
from espnet_distill.tasks.text2mel import DistillTTSTask

from ..conftest import PRODIFF

PRUNE = {"type": "prune", "pressure": 0.4, "end": 3}
OBJECTIVES = [{"type": "mel"}, {"type": "hidden", "tap": "encoder"}]
OBJECTIVES += [{"type": kind} for kind in ("duration", "pitch", "energy")]


def test_it_learns_and_loses_weights(corpus, teacher, tmp_path):
    callbacks = [PRUNE | {"granularity": "unstructured"}]
    config = corpus.config(
        tmp_path / "train.yaml",
        "prodiff",
        PRODIFF,
        teacher=[str(teacher)],
        distill_conf={"objectives": OBJECTIVES},
        callbacks=callbacks,
    )
    assert "by mel, hidden_encoder, duration, pitch, energy with prune" in check(
        config, []
    )
    DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
    state = torch.load(tmp_path / "exp/2epoch.pth", weights_only=True)
    weights = [x for x in state.values() if x.is_floating_point()]
    assert all(map(torch.isfinite, (x.sum() for x in weights)))
    zeros = sum(int((x == 0).sum()) for x in weights)
    assert zeros > 0.35 * sum(x.numel() for x in weights)


@pytest.mark.parametrize("prune_also", [[], ["heads", "residual"]], ids=str)
def test_its_units_are_refused_alike(corpus, prune_also, tmp_path):
    callbacks = [PRUNE | {"granularity": "structured", "prune_also": prune_also}]
    config = corpus.config(
        tmp_path / "train.yaml", "prodiff", PRODIFF, callbacks=callbacks
    )
    with pytest.raises(ConfigError) as caught:
        DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
    with pytest.raises(ConfigError) as checked:
        check(config, [])
    assert str(caught.value) == str(checked.value)
    assert str(caught.value) == (
        "callbacks[0]: granularity: structured supports FastSpeech2, FastSpeech, "
        "Tacotron2, Transformer and their variants, not ProDiff; use unstructured"
    )
    assert not (tmp_path / "exp").exists()


def test_a_model_of_waveforms_is_refused_before_it_is_built(corpus, teacher, tmp_path):
    config = corpus.config(
        tmp_path / "train.yaml", "vits", {"no_such_key": 1}, teacher=[str(teacher)]
    )
    with pytest.raises(ConfigError, match="^student: tts: VITS has no taps; models"):
        DistillTTSTask.main(cmd=corpus.training(config, tmp_path / "exp"))
    assert not (tmp_path / "exp").exists()
