"""The model that ESPnet's GANTrainer trains: a VocoderGAN with normalization."""

import torch
from espnet2.layers.abs_normalize import AbsNormalize
from espnet2.torch_utils.device_funcs import force_gatherable
from espnet2.train.abs_gan_espnet_model import AbsGANESPnetModel

from espnet_distill.objectives.loss_monitor import mark_invalid
from espnet_distill.utils.validation import is_finite
from espnet_distill.vocoders.training.gan import VocoderGAN


class DistillVocoderModel(AbsGANESPnetModel):
    """A VocoderGAN whose input are log-mels or latents without normalization.

    Args:
        normalize: Normalization by the statistics of the text-to-mel model's mels, or
            of the latents.
        tts: The GAN, under the name that ESPnet's optimizers require.
    """

    def __init__(self, normalize: AbsNormalize, tts: VocoderGAN):
        super().__init__()
        self.normalize = normalize
        self.tts = tts
        self.fault: str | None = None  # of the last batch, read by the LossMonitor

    def forward(
        self,
        teacher_wave: torch.Tensor,
        f0: torch.Tensor,
        mel: torch.Tensor | None = None,
        latents: torch.Tensor | None = None,
        condition: torch.Tensor | None = None,
        speech: torch.Tensor | None = None,
        free_phase: torch.Tensor | None = None,
        forward_generator: bool = True,
        **others,
    ) -> dict:
        """Return the loss of the generator or of the discriminator.

        Args:
            teacher_wave: The teacher's waveforms (B, T * hop length).
            f0: Of these waveforms in Hz (B, T), 0 in unvoiced frames.
            mel: Log-mels (B, T, n_mels), or
            latents: the input of the teacher's waveform decoder (B, T, C), and
            condition: its global conditioning (B, G), if it has one.
            speech: The discriminator's real waveforms, of the same shape; by default
                the teacher's.
            free_phase: The component of the teacher's waveforms of which a generator with
                `free_phase` predicts the spectra.
            forward_generator: Whether to compute the generator's loss.
            others: Lengths, equal for all segments, and the utterances' names.
        """
        name, given = ("mel", mel) if latents is None else ("latents", latents)
        feats, _ = self.normalize(given.clone())  # normalizes in place
        real = teacher_wave if speech is None else speech
        loss, stats = self.tts(
            feats, teacher_wave, real, forward_generator, f0, condition, free_phase
        )
        stats = {name: _value(part) for name, part in stats.items()}
        inputs = {name: given, "teacher_wave": teacher_wave, "f0": f0, "speech": real}
        if free_phase is not None:
            inputs["free_phase"] = free_phase
        self.fault = _find_fault(loss, stats, inputs, others.get("utt_id"))
        if self.fault:
            stats = mark_invalid(stats)
        loss, stats, weight = force_gatherable((loss, stats, len(given)), loss.device)
        return {
            "loss": loss,
            "stats": stats,
            "weight": weight,
            "optim_idx": 0 if forward_generator else 1,
        }

    def collect_feats(self, **batch) -> dict:
        """Return nothing: the statistics are those of the text-to-mel model."""
        return {}


def _find_fault(loss, stats: dict, inputs: dict, utterances) -> str | None:
    """Describe the cause of a NaN or infinite loss in a line; None if it is finite."""
    if is_finite(loss.detach()):
        return None
    invalid = ", ".join(name for name, value in stats.items() if not is_finite(value))
    for name, tensor in inputs.items():
        rows = [n for n, values in enumerate(tensor) if not is_finite(values)]
        if rows:
            names = (
                ", ".join(utterances[n] for n in rows[:5]) if utterances else "a batch"
            )
            return (
                f"{invalid}: NaN or infinite: {name} of {names}; remove the "
                "teacher_dump and dump the waves again"
            )
    return (
        f"{invalid}: NaN or infinite: the student computes it; lower optim_conf.lr or "
        "grad_clip"
    )


def _value(part):
    return part.detach() if torch.is_tensor(part) else part
