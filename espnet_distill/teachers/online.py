"""Teachers that run during the training of the student."""

import functools
import inspect

import torch
from espnet2.tts.prodiff import ProDiff

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.objectives.base import Taps
from espnet_distill.teachers.dumped import identity
from espnet_distill.teachers.taps import (
    TapRecorder,
    probe,
    require_taps,
    taps_of,
)
from espnet_distill.teachers.to_student import denormalize


class OnlineTeacher:
    """A trained model in eval mode, without gradients.

    It is not a torch module, so a model with an OnlineTeacher as an attribute neither
    trains, moves, saves nor averages it.
    """

    def __init__(self, experiment, modules: tuple[str, ...] = ()):
        """Load a teacher.

        Args:
            experiment: A trained ESPnet model, as :class:`~.Experiment` opens it.
            modules: Names of the taps to record.
        """
        teacher = Experiment(experiment)
        _require_taps(teacher)
        self.config, self.checkpoint = teacher.config_file, teacher.checkpoint
        self.identity = identity(teacher)
        self.model, self.args = teacher.model, teacher.args
        self.model.requires_grad_(False)
        if isinstance(self.model.tts, ProDiff):
            sample_in_forward(self.model.tts)
        self.recorder = TapRecorder(self.model.tts, modules, by_durations=True)
        self._input_names = inspect.signature(self.model.tts.forward).parameters

    @torch.no_grad()
    def __call__(self, batch: dict[str, torch.Tensor]) -> Taps:
        """Return the teacher's taps for a batch of ESPnet's collate function.

        Mel, pitch and energy are denormalized. The teacher gets copies of the tensors,
        because ESPnet's GlobalMVN normalizes in place; durations are passed only to
        teachers that take them, which Tacotron2 does not.
        """
        device = batch["text"].device
        if next(self.model.parameters()).device != device:
            self.model.to(device)
        self.model(
            **{
                name: _copy(value)
                for name, value in batch.items()
                if name in self._input_names or not name.startswith("durations")
            }
        )
        return denormalize(self.recorder.taps, self.model)

    @property
    def tts(self) -> torch.nn.Module:
        """The model without its features and normalization."""
        return self.model.tts

    def probe(self) -> Taps:
        """Return the taps of one dummy sentence, for their names and shapes."""
        return probe(self.model.tts, self.recorder)

    def taps_of(self, names: tuple[str, ...]) -> Taps:
        """Return the model's outputs and the named taps of one dummy sentence.

        Raises:
            ConfigError: A name that is no tap of the model.
        """
        return taps_of(self.model, names, by_durations=True)


def _require_taps(teacher: Experiment) -> None:
    """Raise a ConfigError that says how a teacher without taps is used, if it is."""
    try:
        require_taps(teacher.config["tts"], teacher)
    except ConfigError as error:
        if not is_text_to_wave(teacher.config):
            raise
        remedy = "train on the speech that it synthesizes: distill.sh --teacher"
        raise ConfigError(f"{error}; {remedy}") from None


def sample_in_forward(tts: ProDiff) -> None:
    """Make `forward` sample from noise at the given durations, pitch and energy.

    ProDiff's training pass denoises the recording instead of generating a mel.
    """
    tts._forward = functools.partial(
        tts._forward, is_inference=True, use_teacher_forcing=True
    )


def _copy(value):
    return value.clone() if isinstance(value, torch.Tensor) else value
