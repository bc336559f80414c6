"""A small vocoder in training: generator, discriminator, and what both are told."""

import math
from collections.abc import Mapping, Sequence

import torch
from espnet2.gan_codec.shared.discriminator.msstft_discriminator import (
    MultiScaleSTFTDiscriminator,
)
from espnet2.gan_tts.hifigan.loss import (
    DiscriminatorAdversarialLoss,
    FeatureMatchLoss,
    GeneratorAdversarialLoss,
)
from espnet2.gan_tts.joint.joint_text2wav import AVAILABLE_DISCRIMINATORS
from torch.nn import functional

from espnet_distill.data.mel_spec import MelSpec
from espnet_distill.errors import ConfigError, suggest, summarize
from espnet_distill.objectives.base import Objective, Taps
from espnet_distill.vocoders.generators.harmonic_istft import HarmonicISTFTGenerator

WITHOUT_FEATURES = ("parallel_wavegan_discriminator",)  # to be matched


DISCRIMINATORS = {
    **{k: v for k, v in AVAILABLE_DISCRIMINATORS.items() if k not in WITHOUT_FEATURES},
    "msstft_discriminator": MultiScaleSTFTDiscriminator,
}


SEGMENT = 64  # frames


QUIETEST = 1e-3  # a root mean square that is amplified to 1


class VocoderGAN(torch.nn.Module):
    """A student that learns its teacher's waveforms, and to pass for a recording.

    First it only reconstructs: the objectives, and an L1 of log-mels. From
    `adversarial_start` on the discriminator trains, too, and reconstruction counts
    less and less, down to `reconstruction_end` after `reconstruction_updates` more
    (HiFi-GAN's terms, https://arxiv.org/abs/2010.05646, its weight as a schedule).

    Args:
        generator: (B, n_mels, T) to (B, 1, T * hop length).
        mels: What it reads.
        objectives: What compares its waveform with the teacher's.
        discriminator_type: One of those of ESPnet's joint_text2wav that have features,
            or `msstft_discriminator`, which looks at complex spectra of several sizes
            (EnCodec, https://arxiv.org/abs/2210.13438).
        discriminator_params: Its arguments.
        segment_size: Frames of each utterance in a batch.
        discriminator_size: Frames of them that the discriminator hears.
        adversarial_start: Updates of the generator before the discriminator joins.
        reconstruction_updates: Updates after that in which reconstruction is reduced.
        reconstruction_end: To which share.
        lambda_mel: Weight of the log-mels' L1.
        lambda_adv: Weight of passing for a recording.
        lambda_feat_match: Weight of the discriminator's features.

    Raises:
        ConfigError: A discriminator that there is not, a size or share out of range.
    """

    def __init__(
        self,
        generator: torch.nn.Module,
        mels: MelSpec,
        objectives: Sequence[Objective],
        discriminator_type: str = "hifigan_multi_period_discriminator",
        discriminator_params: Mapping = {},
        segment_size: int = SEGMENT,
        discriminator_size: int = 32,
        adversarial_start: int = 10000,
        reconstruction_updates: int = 10000,
        reconstruction_end: float = 0.3,
        lambda_mel: float = 10.0,
        lambda_adv: float = 1.0,
        lambda_feat_match: float = 2.0,
    ):
        super().__init__()
        if not 0 < discriminator_size <= segment_size:
            raise ConfigError(
                f"model_conf.discriminator_size: {discriminator_size} is not between 1 "
                f"and segment_size, {segment_size}"
            )
        if not 0 < reconstruction_end <= 1:
            raise ConfigError(
                "model_conf.reconstruction_end: expected a share above 0, up to 1, got "
                f"{reconstruction_end!r}"
            )
        self.hop_length = mels.hop_length
        self.discriminator_size = discriminator_size
        self.adversarial_start = adversarial_start
        self.reconstruction_updates = reconstruction_updates
        self.reconstruction_end = reconstruction_end
        self.lambda_mel = lambda_mel
        self.lambda_adv, self.lambda_feat_match = lambda_adv, lambda_feat_match
        self.generator = generator
        self.discriminator = _build_discriminator(
            discriminator_type, discriminator_params
        )
        self.objectives = torch.nn.ModuleList(objectives)
        self.log_mels = mels.extractor(log_base=None)
        self.adversarial_loss = GeneratorAdversarialLoss()
        self.feature_loss = FeatureMatchLoss()
        self.discriminator_loss = DiscriminatorAdversarialLoss()
        self.register_buffer("updates", torch.tensor(0))
        self._student = None

    def forward(
        self,
        feats: torch.Tensor,
        teacher: torch.Tensor,
        recording: torch.Tensor,
        forward_generator: bool,
        f0: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, dict]:
        """Return the loss of one side and its parts.

        Args:
            feats: Normalised log-mels (B, T, n_mels).
            teacher: What the teacher said of them (B, T * hop length).
            recording: What passes for real, of the same shape.
            forward_generator: Whose turn it is.
            f0: That of the teacher's waveform in Hz (B, T), 0 where it has none; for a
                generator that makes pulses.
        """
        if self._student is None:  # the discriminator comes first, on the same batch
            self._student = self._speak(feats.transpose(1, 2), f0)
        if not forward_generator:
            return self._discriminate(self._student["waveform"].detach(), recording)
        student, self._student = self._student, None
        return self._generate(student, Taps({"waveform": teacher, "f0": f0}), recording)

    def _speak(self, c: torch.Tensor, f0: torch.Tensor | None) -> Taps:
        if isinstance(self.generator, HarmonicISTFTGenerator):
            return Taps(self.generator.guided(c, f0))
        return Taps({"waveform": self.generator(c).squeeze(1)})

    def _generate(self, student, target, recording) -> tuple[torch.Tensor, dict]:
        spoken, teacher = student["waveform"], target["waveform"]
        parts = {item.label: item(student, target) for item in self.objectives}
        told = sum(item.weight * parts[item.label] for item in self.objectives)
        (ours, _), (theirs, _) = self.log_mels(spoken), self.log_mels(teacher)
        parts["mel"] = functional.l1_loss(ours, theirs)
        share = self.reconstruction_share
        loss = share * (told + self.lambda_mel * parts["mel"])
        parts |= {"adversarial": 0.0, "feature_match": 0.0, "reconstruction": share}
        if self.is_adversarial:
            fake, real = self._judged(spoken, recording, real_is_target=True)
            parts["adversarial"] = self.adversarial_loss(fake)
            parts["feature_match"] = self.feature_loss(fake, real)
            loss = loss + self.lambda_adv * parts["adversarial"]
            loss = loss + self.lambda_feat_match * parts["feature_match"]
        if self.training:
            self.updates += 1
        return loss, {"generator_loss": loss, **parts}

    def _discriminate(self, spoken, recording) -> tuple[torch.Tensor, dict]:
        if self.is_adversarial:
            fake, real = self._judged(spoken, recording)
            on_real, on_fake = self.discriminator_loss(fake, real)
            loss = on_real + on_fake
        else:  # which moves nothing
            loss = on_real = on_fake = 0.0 * next(self.discriminator.parameters()).sum()
        parts = {"discriminator_real": on_real, "discriminator_fake": on_fake}
        return loss, {"discriminator_loss": loss, **parts}

    def _judged(self, spoken, recording, real_is_target: bool = False):
        """What the discriminator makes of the same piece of both.

        It hears the batch at unit loudness: at that of speech (0.05) a narrow one tells
        nothing apart for a thousand updates, because its layers only pass it on.
        """
        spare = spoken.size(1) // self.hop_length - self.discriminator_size
        first = int(torch.randint(spare + 1, ())) * self.hop_length
        piece = slice(first, first + self.discriminator_size * self.hop_length)
        loudness = recording.square().mean().sqrt().clamp(min=QUIETEST)
        fake = self.discriminator((spoken[:, piece] / loudness).unsqueeze(1))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not real_is_target):
            real = self.discriminator((recording[:, piece] / loudness).unsqueeze(1))
        return fake, real

    @property
    def is_adversarial(self) -> bool:
        """Tell whether the discriminator takes part."""
        return int(self.updates) >= self.adversarial_start

    @property
    def reconstruction_share(self) -> float:
        """The share that the weights of reconstruction have now, falling as a power."""
        gone = int(self.updates) - self.adversarial_start
        way = min(max(gone / max(self.reconstruction_updates, 1), 0.0), 1.0)
        return math.exp(way * math.log(self.reconstruction_end))


def _build_discriminator(kind: str, params: Mapping) -> torch.nn.Module:
    if kind not in DISCRIMINATORS:
        raise ConfigError(
            f"model_conf.discriminator_type: {kind!r}; {suggest(kind, DISCRIMINATORS)}"
        )
    try:
        return DISCRIMINATORS[kind](**params)
    except Exception as error:  # typeguard and torch each raise their own
        raise ConfigError(
            f"model_conf.discriminator_params: not a {kind} that can be built: "
            f"{summarize(error)}"
        ) from error
