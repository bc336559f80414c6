"""The fragments of conf/pruning, put to the presets that a recipe would train."""

from pathlib import Path

import pytest
import yaml
from espnet2.tts.espnet_model import ESPnetTTSModel

from espnet_distill.pruning.espnet_groups import groups_of
from espnet_distill.training.callback import TrainingContext
from espnet_distill.training.registry import build_callback

CONF = Path(__file__).parents[2] / "conf"
FRAGMENTS = sorted((CONF / "pruning").glob("*.yaml"))


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("preset", ["fastspeech2_small", "tacotron2_small"])
def test_a_fragment_fits_a_preset(fragment, preset):
    from espnet2.tasks.tts import tts_choices

    conf = yaml.safe_load((CONF / "students" / f"{preset}.yaml").read_text())
    if fragment.stem.startswith("fastspeech2") and conf["tts"] != "fastspeech2":
        pytest.skip("is for another model")
    kind = tts_choices.get_class(conf["tts"])
    tts = kind(idim=40, odim=80, **conf["tts_conf"])
    model = ESPnetTTSModel(None, None, None, None, None, None, tts)
    (options,) = yaml.safe_load(fragment.read_text())["callbacks"]
    callback = build_callback(options)
    callback.find_groups = lambda model: groups_of(model, conf["tts_conf"])
    callback.attach(model)
    callback.on_train_start(TrainingContext(model, steps=18000))
    assert not callback.is_final
    assert callback.statistics()["sparsity"] == 0
