"""The printed commands fit the recipe that they are printed in."""

from pathlib import Path

import pytest

from espnet_distill.pruning.post_training.next_steps import fine_tuning, synthesis


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_in_a_recipe_of_this_package():
    Path("distill.sh").touch()
    tuning = fine_tuning(Path("exp/half"), True)
    assert tuning.startswith("./run.sh --stage 6 --stop_stage 8 ")
    assert "--student_config exp/half/train.yaml --student_tag half_tuned " in tuning
    command = synthesis(Path("exp/deep/half").absolute(), True)
    wanted = "./run.sh --stage 7 --stop_stage 8 --student_tag deep/half"
    assert command == f"{wanted} --evaldir exp/deep/half/evaluation"


def test_in_an_extended_espnet_recipe():
    Path("run_distill.sh").touch()
    tuning = fine_tuning(Path("exp/half"), False)
    assert tuning == (
        "./run.sh --stage 7 --stop_stage 7 --train_config exp/half/train.yaml --tag half"
    )
    assert synthesis(Path("exp/half"), False).startswith(
        "./run_distill.sh --stage 7 --stop_stage 8 --student_tag half "
    )


@pytest.mark.parametrize("needs_plugin", [False, True])
def test_in_an_espnet_recipe(needs_plugin):
    plugin = '--python "python3 -m espnet_distill" ' if needs_plugin else ""
    command = synthesis(Path("a b/half"), needs_plugin)
    assert command == (
        f"./run.sh {plugin}--stage 8 --stop_stage 8 --tts_exp 'a b/half' "
        "--inference_model model.pth"
    )
    assert f"./run.sh {plugin}--stage 7 --" in fine_tuning(Path("half"), needs_plugin)


def test_outside_exp_no_evaluation_is_promised():
    Path("distill.sh").touch()
    assert "--tts_exp elsewhere/half" in synthesis(Path("elsewhere/half"), False)
