"""Whole runs of ESPnet's trainer with a callback, against its rules for epochs."""

import logging
import shutil

import pytest
import torch
import yaml

import espnet_distill
from espnet_distill.errors import ConfigError
from espnet_distill.tasks.text2mel import DistillTTSTask

from ..conftest import load_stock

PRUNE = {
    "type": "prune",
    "granularity": "unstructured",
    "criterion": "magnitude",
    "pressure": 0.5,
    "start": 2,
    "end": 6,  # two steps an epoch: final from the fourth on
    "interval": 1,
}
SETTLED = 4
WORST = {"best_model_criterion": [["train", "loss", "max"]]}  # the earlier the better


def load(path):
    return torch.load(path, weights_only=True)


def train(corpus, out, *options, **changes):
    config = corpus.config(
        out.with_suffix(".yaml"), **{"callbacks": [PRUNE], "max_epoch": 6} | changes
    )
    DistillTTSTask.main(cmd=[*corpus.training(config, out), *options])
    return out


def names(folder):
    return sorted(path.name for path in folder.glob("*.pth"))


def measure_sparsity(folder, name):
    state = load(folder / name)
    parameters = [state[name] for name, _ in load_stock(folder).named_parameters()]
    zeros = sum(int((x == 0).sum()) for x in parameters if x.dim() > 1)
    return zeros / sum(x.numel() for x in parameters)


@pytest.fixture(scope="module")
def log():
    """What rank 0 logs at level INFO, by folder of the run."""
    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    handler, root = Keep(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="module")
def pruned(corpus, log, tmp_path_factory):
    """An experiment of six epochs, the best of which would be the first."""
    folder = tmp_path_factory.mktemp("pruned") / "exp"
    return train(corpus, folder, use_tensorboard=True, use_matplotlib=True, **WORST)


def test_output_is_a_stock_experiment(pruned):
    config = yaml.safe_load((pruned / "config.yaml").read_text())
    assert "callbacks" not in config
    record = yaml.safe_load((pruned / "distill.yaml").read_text())
    assert record["callbacks"] == [PRUNE] and "teacher" not in record
    state = load(pruned / "6epoch.pth")
    load_stock(pruned).load_state_dict(state, strict=True)


def test_masks_hold_in_every_eligible_model(pruned):
    for name in ("6epoch.pth", "train.loss.best.pth", "train.loss.ave.pth"):
        assert measure_sparsity(pruned, name) == pytest.approx(0.5, abs=0.01)


def test_only_eligible_epochs_are_best_or_averaged(pruned):
    stats = load(pruned / "checkpoint.pth")["reporter"]["stats"]
    losses = {epoch: parts["train"]["loss"] for epoch, parts in stats.items()}
    is_final = [epoch for epoch in losses if epoch >= SETTLED]
    first, second = sorted(is_final, key=lambda epoch: -losses[epoch])[:2]
    assert max(losses, key=losses.get) < SETTLED, "nothing to tell them apart by"
    assert (pruned / "train.loss.best.pth").readlink().name == f"{first}epoch.pth"
    average = load(pruned / "train.loss.ave_2best.pth")
    chosen = [load(pruned / f"{epoch}epoch.pth") for epoch in (first, second)]
    for name, value in average.items():
        if value.is_floating_point():
            assert torch.equal(value, (chosen[0][name] + chosen[1][name]) / 2)
    assert names(pruned) == sorted(
        {f"{epoch}epoch.pth" for epoch in (first, second, 6)}
        | {"checkpoint.pth", "latest.pth", "train.loss.best.pth"}
        | {"train.loss.ave.pth", "train.loss.ave_2best.pth"}
    )


def test_sparsity_is_a_statistic_from_the_first_epoch(pruned):
    stats = load(pruned / "checkpoint.pth")["reporter"]["stats"]
    shares = [stats[epoch]["train"]["sparsity"] for epoch in range(1, 7)]
    assert shares[0] < shares[1] < shares[2]
    assert shares[2:] == [pytest.approx(0.5, abs=0.01)] * 4


def test_tensorboard_shows_sparsity(pruned):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(pruned / "tensorboard" / "train"))
    events.Reload()
    values = [event.value for event in events.Scalars("sparsity")]
    assert values[0] < values[-1] == pytest.approx(0.5, abs=0.01)


def test_levels_are_logged_and_plotted(pruned, log):
    (line,) = [line for line in log if line.startswith("sparsity: ")]
    assert line.endswith(" at step 6")
    assert (pruned / "images" / "pruning.png").read_bytes().startswith(b"\x89PNG")


def test_early_stopping_counts_from_the_first_eligible_epoch(corpus, tmp_path):
    """Stock ESPnet would stop in the third epoch."""
    folder = train(
        corpus,
        tmp_path / "exp",
        patience=1,
        early_stopping_criterion=["train", "loss", "max"],
        max_epoch=8,
    )
    stats = load(folder / "checkpoint.pth")["reporter"]["stats"]
    losses = [stats[epoch]["train"]["loss"] for epoch in stats]
    best = max(range(SETTLED, len(losses) + 1), key=lambda epoch: losses[epoch - 1])
    assert losses[0] == max(losses)
    assert len(losses) == best + 2 > SETTLED


def test_steps_are_optimizer_steps(corpus, tmp_path):
    callbacks = [PRUNE | {"start": 1, "end": 2}]
    folder = train(
        corpus, tmp_path / "exp", accum_grad=2, max_epoch=3, callbacks=callbacks
    )
    (optimizer,) = load(folder / "checkpoint.pth")["optimizers"]
    assert optimizer["espnet_distill_callbacks"]["step"] == 3
    stats = load(folder / "checkpoint.pth")["reporter"]["stats"]
    assert all("sparsity" in stats[epoch]["train"] for epoch in stats)


def test_pruning_with_a_teacher(corpus, teacher, tmp_path):
    espnet_distill.register()  # as in a run: the task builds its teacher, too
    folder = train(corpus, tmp_path / "exp", teacher=[str(teacher)], max_epoch=3)
    assert measure_sparsity(folder, "3epoch.pth") == pytest.approx(0.5, abs=0.01)
    record = yaml.safe_load((folder / "distill.yaml").read_text())
    assert {"teacher", "distill_conf", "callbacks"} <= set(record)


# Resuming


def resume(corpus, folder, **changes):
    return train(corpus, folder, "--resume", "true", **WORST | changes)


@pytest.mark.parametrize(
    "callbacks",
    [[], [PRUNE | {"end": 5}], [PRUNE, PRUNE]],
    ids=["none", "another end", "one more"],
)
@pytest.mark.parametrize("with_teacher", [False, True])
def test_a_run_does_not_resume_with_other_callbacks(
    corpus, teacher, pruned, callbacks, with_teacher, tmp_path
):
    shutil.copytree(pruned, tmp_path / "exp", symlinks=True)
    teachers = [str(teacher)] if with_teacher else []
    with pytest.raises(ConfigError, match="^checkpoint.pth: .* other ") as caught:
        resume(
            corpus,
            tmp_path / "exp",
            max_epoch=7,
            callbacks=callbacks,
            teacher=teachers,
        )
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exp" / "7epoch.pth").exists()


@pytest.mark.parametrize("damage", ["missing", "truncated", "of another epoch"])
def test_files_after_the_checkpoint_are_recovered_after_a_kill(
    corpus, pruned, damage, tmp_path
):
    folder = tmp_path / "exp"
    shutil.copytree(pruned, folder, symlinks=True)
    model = folder / "6epoch.pth"
    content = model.read_bytes()
    model.unlink()
    if damage == "truncated":
        model.write_bytes(content[: len(content) // 2])
    elif damage == "of another epoch":
        shutil.copy(folder / "train.loss.best.pth", model)
    for link in ("latest.pth", "train.loss.best.pth"):
        (folder / link).unlink()
    (folder / "latest.pth").symlink_to("5epoch.pth")
    (folder / "1epoch.pth").write_bytes(b"to be removed")
    (folder / ".checkpoint.99.part.pth").write_bytes(b"half")
    resume(corpus, folder)
    assert names(folder) == names(pruned)
    for name in names(pruned):
        recovered, expected = load(folder / name), load(pruned / name)
        if name == "checkpoint.pth":
            recovered, expected = recovered["model"], expected["model"]
        assert all(torch.equal(recovered[key], expected[key]) for key in expected)
        path = pruned / name
        if path.is_symlink():
            assert (folder / name).readlink() == path.readlink()


def test_last_epoch_is_eligible_if_pruning_ends_in_it(corpus, tmp_path):
    late = train(corpus, tmp_path / "exp", callbacks=[PRUNE | {"end": 12}], **WORST)
    assert (late / "train.loss.best.pth").readlink().name == "6epoch.pth"
