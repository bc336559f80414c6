"""The model of one speaker of a model of several speakers.

ESPnet's models add the embedding of a speaker id, and with ``spk_embed_integration_type:
add`` the projection of a speaker embedding, to the encoder's output. For one speaker that
is a constant vector. An encoder that ends in a layer with a bias, such as a layer
normalization, has it in that bias, exactly.
"""

from collections.abc import Mapping

import torch
from espnet2.tts.abs_tts import AbsTTS
from torch import nn
from torch.nn.functional import normalize

from espnet_distill.data.dummy_batch import dummy_batch
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.ids import speaker_inputs, without_speakers
from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.teachers.taps import MODULES, TapRecorder, family

EMBEDDINGS = ("sid_emb.", "projection.")  # parameters of the speakers
DATA = ("sids", "spembs")
TOLERANCE = 1e-4  # of the mel, relative to its largest value


def one_speaker(
    experiment: Experiment | str, speaker: str, exact: bool = True
) -> Experiment:
    """Return a model without speaker inputs that synthesizes as one of its speakers.

    Args:
        experiment: A model of several speakers.
        speaker: The speaker's name.
        exact: Refuse a model whose speaker embedding no bias can have; otherwise the
            embedding is omitted, for a model that is trained further.

    Returns:
        The model in memory. Its ``notes`` say whether the embedding is folded.

    Raises:
        ConfigError: The model has one speaker or none of this name, or, with ``exact``,
            its embedding cannot be folded.
    """
    experiment = Experiment.of(experiment)
    if is_text_to_wave(experiment.config):
        raise ConfigError(
            f"--speaker {speaker}: {experiment}: tts: {experiment.config['tts']}: its "
            "speakers stay; leave --speaker out"
        )
    inputs = speaker_inputs(experiment, speaker)
    tts = experiment.model.tts
    obstacle = why_not_exact(tts)
    if obstacle and exact:
        raise ConfigError(f"--speaker {speaker}: {experiment}: {obstacle}")
    state = tts.state_dict()
    note = f"{obstacle}; the embedding of {speaker} is omitted."
    if not obstacle:
        name = _last_bias(tts)
        state[name] = state[name] + _added(tts, inputs)
        note = f"The embedding of {speaker} is folded into {name}."
    made = experiment.with_model(
        experiment.config["tts"],
        without_speakers(experiment.config["tts_conf"]),
        {key: x for key, x in state.items() if not key.startswith(EMBEDDINGS)},
        full_precision=True,
        notes=[note],
    )
    for key in (
        "train_data_path_and_name_and_type",
        "valid_data_path_and_name_and_type",
    ):
        data = made.config.get(key)
        if data:
            made.config[key] = [item for item in data if item[1] not in DATA]
    if not obstacle:
        _require_equal(tts, made.model.tts, inputs, experiment)
    return made


def why_not_exact(tts: AbsTTS) -> str | None:
    """Return why a model's speaker embedding cannot be folded; None if it can."""
    kind = type(tts).__name__
    if tts.spk_embed_dim and tts.spk_embed_integration_type != "add":
        return (
            "spk_embed_integration_type: "
            f"{tts.spk_embed_integration_type} of {kind} adds no constant"
        )
    if _last_bias(tts) is None:
        return f"the encoder of {kind} ends in no layer with a bias"
    return None


def _last_bias(tts: AbsTTS) -> str | None:
    """Return the name of the bias whose layer computes the encoder's output."""
    encoder = MODULES[family(tts)]["encoder"]
    outputs, handles = {}, []
    for name, module in tts.get_submodule(encoder).named_modules(prefix=encoder):
        if name == encoder or _has_bias_of_channels(module):

            def store(module, inputs, output, name=name):
                outputs[name] = output

            handles.append(module.register_forward_hook(store))
    _run(tts, dummy_batch(tts))
    for handle in handles:
        handle.remove()
    output = outputs.pop(encoder)
    while isinstance(output, tuple):  # (x, mask) or ((x, pos_emb), mask)
        output = output[0]
    for name, tensor in outputs.items():
        if tensor.shape == output.shape and torch.equal(tensor, output):
            return f"{name}.bias"
    return None


def _has_bias_of_channels(module: nn.Module) -> bool:
    """Return True for a layer that adds a bias to the last dimension."""
    if isinstance(module, nn.LayerNorm):
        return getattr(module, "dim", -1) == -1 and module.bias is not None
    return isinstance(module, nn.Linear) and module.bias is not None


def _added(tts: AbsTTS, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return what a speaker's inputs add to the encoder's output, (channels,)."""
    with torch.no_grad():
        added = torch.zeros(())
        if "sids" in inputs:
            added = added + tts.sid_emb(inputs["sids"].view(-1))[0]
        if "spembs" in inputs:
            added = added + tts.projection(normalize(inputs["spembs"]))[0]
    return added


def _require_equal(tts: AbsTTS, made: AbsTTS, inputs: Mapping, where) -> None:
    """Raise a ConfigError if two models differ on a dummy sentence of the speaker."""
    mels = []
    for model, batch in (
        (tts, dummy_batch(tts) | inputs),
        (made, dummy_batch(made)),
    ):
        recorder = TapRecorder(model)
        _run(model, batch)
        recorder.remove()
        mels.append(recorder.taps["mel_after"])
    error = (mels[0] - mels[1]).abs().max()
    if not error <= TOLERANCE * mels[0].abs().max():
        raise ConfigError(
            f"{where}: the model of one speaker differs by {error:.2g} in the mel; "
            "its speaker embedding is used elsewhere, too"
        )


def _run(tts: AbsTTS, batch: Mapping[str, torch.Tensor]) -> None:
    """Run a model in eval mode, with the random state of a fixed seed."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        tts(**batch)
