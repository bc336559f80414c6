"""GAN training of a distilled vocoder: generator, discriminator and their losses."""

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
from espnet_distill.vocoders.generators.base import Generator

WITHOUT_FEATURES = ("parallel_wavegan_discriminator",)  # for feature matching


DISCRIMINATORS = {
    **{k: v for k, v in AVAILABLE_DISCRIMINATORS.items() if k not in WITHOUT_FEATURES},
    "msstft_discriminator": MultiScaleSTFTDiscriminator,
}


SEGMENT = 64  # frames


MIN_RMS = 1e-3  # lower bound of the RMS by which waveforms are normalized


class VocoderGAN(torch.nn.Module):
    """A student vocoder trained by reconstruction, later with a discriminator.

    Until update `adversarial_start` the loss is the reconstruction loss: the objectives
    and an L1 of log-mels. After it the adversarial and feature matching losses are
    added, and the weight of the reconstruction falls to `reconstruction_end` within
    `reconstruction_updates` updates (HiFi-GAN's terms, https://arxiv.org/abs/2010.05646,
    with a schedule of the weight).

    Args:
        generator: (B, channels, T) to (B, 1, T * hop length).
        mels: The settings of the mels that are compared.
        objectives: Compare its waveform with the teacher's.
        discriminator_type: A discriminator of ESPnet's joint_text2wav with features, or
            `msstft_discriminator`, on complex spectra of several sizes (EnCodec,
            https://arxiv.org/abs/2210.13438).
        discriminator_params: Its arguments.
        segment_size: Frames of each utterance in a batch.
        discriminator_size: Frames of each segment that the discriminator gets.
        adversarial_start: Updates of the generator without the discriminator.
        reconstruction_updates: Updates over which the reconstruction weight falls.
        reconstruction_end: Final factor of the reconstruction weight, in (0, 1].
        lambda_mel: Weight of the log-mels' L1.
        lambda_adv: Weight of the adversarial loss.
        lambda_feat_match: Weight of the feature matching loss.

    Raises:
        ConfigError: An unknown discriminator, or a size or factor out of range.
    """

    def __init__(
        self,
        generator: Generator,
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
                "model_conf.reconstruction_end: expected a factor in (0, 1], got "
                f"{reconstruction_end!r}"
            )
        _require_length(segment_size * mels.hop_length, mels, objectives)
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
        condition: torch.Tensor | None = None,
        free_phase: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, dict]:
        """Return the loss of the generator or of the discriminator, and its parts.

        Args:
            feats: Normalized log-mels or latents (B, T, C).
            teacher: The teacher's waveforms (B, T * hop length).
            recording: The discriminator's real waveforms, of the same shape.
            forward_generator: Whether to compute the generator's loss.
            f0: Of the teacher's waveforms in Hz (B, T), 0 in unvoiced frames; for
                generators of pulses.
            condition: Global conditioning (B, G), for generators that take one.
            free_phase: A component of the teacher's waveforms, for generators that
                predict it.
        """
        if self._student is None:  # the discriminator comes first, on the same batch
            given = [] if condition is None else [condition]
            taps = self.generator.training_forward(feats.transpose(1, 2), f0, *given)
            self._student = Taps(taps)
        if not forward_generator:
            return self._discriminate(self._student["waveform"].detach(), recording)
        student, self._student = self._student, None
        target = Taps({"waveform": teacher, "f0": f0, "free_phase": free_phase})
        return self._generate(student, target, recording)

    def _generate(self, student, target, recording) -> tuple[torch.Tensor, dict]:
        student_wave, teacher_wave = student["waveform"], target["waveform"]
        parts = {item.label: item(student, target) for item in self.objectives}
        distillation = sum(item.weight * parts[item.label] for item in self.objectives)
        student_mels, _ = self.log_mels(student_wave)
        teacher_mels, _ = self.log_mels(teacher_wave)
        parts["mel"] = functional.l1_loss(student_mels, teacher_mels)
        factor = self.reconstruction_factor
        loss = factor * (distillation + self.lambda_mel * parts["mel"])
        parts |= {"adversarial": 0.0, "feature_match": 0.0, "reconstruction": factor}
        if self.is_adversarial:
            fake, real = self._run_discriminator(
                student_wave, recording, real_is_target=True
            )
            parts["adversarial"] = self.adversarial_loss(fake)
            parts["feature_match"] = self.feature_loss(fake, real)
            loss = loss + self.lambda_adv * parts["adversarial"]
            loss = loss + self.lambda_feat_match * parts["feature_match"]
        if self.training:
            self.updates += 1
        return loss, {"generator_loss": loss, **parts}

    def _discriminate(self, student_wave, recording) -> tuple[torch.Tensor, dict]:
        if self.is_adversarial:
            fake, real = self._run_discriminator(student_wave, recording)
            on_real, on_fake = self.discriminator_loss(fake, real)
            loss = on_real + on_fake
        else:  # a loss without gradient
            loss = on_real = on_fake = 0.0 * next(self.discriminator.parameters()).sum()
        parts = {"discriminator_real": on_real, "discriminator_fake": on_fake}
        return loss, {"discriminator_loss": loss, **parts}

    def _run_discriminator(self, student_wave, recording, real_is_target: bool = False):
        """Return the discriminator's outputs for the same random segment of both.

        The batch is normalized to an RMS of 1: at that of speech (0.05) a narrow
        discriminator separates nothing for a thousand updates, because its layers stay
        linear.
        """
        spare = student_wave.size(1) // self.hop_length - self.discriminator_size
        first = int(torch.randint(spare + 1, ())) * self.hop_length
        segment = slice(first, first + self.discriminator_size * self.hop_length)
        rms = recording.square().mean().sqrt().clamp(min=MIN_RMS)
        fake = self.discriminator((student_wave[:, segment] / rms).unsqueeze(1))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not real_is_target):
            real = self.discriminator((recording[:, segment] / rms).unsqueeze(1))
        return fake, real

    @property
    def is_adversarial(self) -> bool:
        """Whether the discriminator takes part."""
        return int(self.updates) >= self.adversarial_start

    @property
    def reconstruction_factor(self) -> float:
        """Current factor of the reconstruction weight, which falls exponentially."""
        updates = int(self.updates) - self.adversarial_start
        progress = min(max(updates / max(self.reconstruction_updates, 1), 0.0), 1.0)
        return math.exp(progress * math.log(self.reconstruction_end))


def _require_length(samples: int, mels: MelSpec, objectives: Sequence) -> None:
    """Raise a ConfigError for segments that are too short for their spectra.

    A centered STFT pads by reflection, which needs more samples than half a window.
    """
    sizes = [size for one in objectives for size in getattr(one, "sizes", ())]
    largest = max([mels.n_fft, *sizes])
    if samples <= largest // 2:
        raise ConfigError(
            f"model_conf.segment_size: a segment has {samples} samples; spectra of "
            f"{largest} require more than {largest // 2}: raise it, or set smaller sizes "
            "of the objectives"
        )


def _build_discriminator(kind: str, params: Mapping) -> torch.nn.Module:
    if kind not in DISCRIMINATORS:
        raise ConfigError(
            f"model_conf.discriminator_type: {kind!r}; {suggest(kind, DISCRIMINATORS)}"
        )
    try:
        return DISCRIMINATORS[kind](**params)
    except Exception as error:  # typeguard and torch raise different types
        raise ConfigError(
            f"model_conf.discriminator_params: not a {kind} that can be built: "
            f"{summarize(error)}"
        ) from error
