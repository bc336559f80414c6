"""The text encoders of VITS and JETS as teachers that run during the training."""

import torch
from espnet2.gan_tts.jets import JETS
from espnet2.legacy.nets.pytorch_backend.nets_utils import make_non_pad_mask
from espnet2.tts.abs_tts import AbsTTS
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from espnet_distill.data.dummy_batch import TOKENS
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_to_wave import WITH_DECODER
from espnet_distill.objectives.base import Taps
from espnet_distill.teachers.dumped import identity
from espnet_distill.teachers.online import OnlineTeacher

TAP = "encoder"


class TextEncoderTeacher:
    """The text encoder of a VITS or JETS in eval mode, without gradients.

    Its one tap, `encoder` (B, T + 1, C), has a state for each token. The last one is that
    of the end of the sentence, if the teacher appends it, as an imported Piper voice does;
    otherwise it is padding. Speakers and languages are no inputs of these encoders. As an
    OnlineTeacher, it is no torch module.
    """

    def __init__(self, experiment, taps: tuple[str, ...] = ()):
        """Load a teacher, of which the text encoder alone is kept.

        Args:
            experiment: A trained VITS or JETS, as :class:`~.Experiment` opens it.
            taps: Names of the taps to compute.

        Raises:
            ConfigError: A tap that is not `encoder`.
        """
        teacher = Experiment(experiment)
        self.config, self.checkpoint = teacher.config_file, teacher.checkpoint
        self.require(taps)
        self.identity = identity(teacher)
        self.args = teacher.args
        self.tts = StatesOfTokens(teacher.model.tts).eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, batch: dict[str, torch.Tensor]) -> Taps:
        """Return the tap for a batch of ESPnet's collate function."""
        ids, lengths = batch["text"], batch["text_lengths"]
        if next(self.tts.parameters()).device != ids.device:
            self.tts.to(ids.device)
        states, lengths = self.tts(ids[:, : lengths.max()], lengths)
        return Taps({TAP: states}, {TAP: lengths})

    def probe(self) -> Taps:
        """Return the tap of one dummy sentence, for its shape."""
        ids = torch.ones(1, TOKENS, dtype=torch.long)
        ids = ids.to(next(self.tts.parameters()).device)
        return self({"text": ids, "text_lengths": ids.new_tensor([TOKENS])})

    def taps_of(self, names: tuple[str, ...]) -> Taps:
        """Return the named taps of one dummy sentence.

        Raises:
            ConfigError: A tap that is not `encoder`.
        """
        self.require(names)
        return self.probe()

    def require(self, names: tuple[str, ...]) -> None:
        """Raise a ConfigError for a tap that is not `encoder`."""
        others = [name for name in names if name != TAP]
        if others:
            raise ConfigError(
                f"{self.config}: tts: synthesizes waveforms and has no tap "
                f"{others[0]!r}, but {TAP!r}, for the objectives hidden and relation; "
                "train on the speech that it synthesizes: distill.sh --teacher"
            )


class StatesOfTokens(torch.nn.Module):
    """The text encoder of a VITS or JETS.

    Args:
        tts: The model, whose encoder is shared.
    """

    def __init__(self, tts: AbsTTS):
        super().__init__()
        self.is_jets = isinstance(tts, JETS)
        generator = tts.generator
        self.encoder = generator.encoder if self.is_jets else generator.text_encoder
        self.padding = getattr(tts, "padding", None)

    def forward(
        self, ids: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode token ids (B, T) with lengths (B,).

        Returns:
            States (B, T + 1, C) and their lengths: those of the tokens, and with
            Piper's padding one more.
        """
        if self.padding is None:
            return pad(self._encode(ids, lengths), (0, 0, 0, 1)), lengths
        padded = [
            ids.new_tensor(self.padding.pad(row[:n].tolist()))
            for row, n in zip(ids, lengths)
        ]
        states = self._encode(pad_sequence(padded, batch_first=True), 2 * lengths + 3)
        return states[:, 2::2], lengths + 1  # ^ _ p _ p _ $

    def _encode(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        if self.is_jets:
            mask = make_non_pad_mask(lengths).to(ids.device).unsqueeze(-2)
            return self.encoder(ids, mask)[0]
        return self.encoder(ids, lengths)[0].transpose(1, 2)


LoadedTeacher = OnlineTeacher | TextEncoderTeacher


def load_teacher(experiment, taps: tuple[str, ...] = ()) -> LoadedTeacher:
    """Load a teacher that runs during the training.

    Args:
        experiment: A trained model, as :class:`~.Experiment` opens it.
        taps: Names of the taps to compute.

    Raises:
        ConfigError: The model has no taps, or lacks one of these.
    """
    kind = Experiment(experiment).config.get("tts")
    return (TextEncoderTeacher if kind in WITH_DECODER else OnlineTeacher)(
        experiment, taps
    )
