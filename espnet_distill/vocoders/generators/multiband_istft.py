"""Generator of MB-iSTFT-VITS: short HiFi-GAN, inverse STFT in bands, PQMF."""

import math
from collections.abc import Sequence

import torch
from espnet2.gan_tts.melgan.pqmf import PQMF

from espnet_distill.vocoders.generators.base import HiFiGAN

MAX_MAGNITUDE = 100.0  # as in Vocos


class MultibandISTFTGenerator(HiFiGAN):
    """The decoder of MB-iSTFT-VITS (https://arxiv.org/abs/2210.15975).

    HiFi-GAN upsamples frames to steps and predicts magnitudes and phases of every band
    for each step; ESPnet's PQMF joins the bands. The samples a frame are the product of
    `upsample_scales`, `hop_samples` and `subbands`.

    Args:
        in_channels: Number of mels.
        channels: Width before the first upsampling; each upsampling halves it.
        upsample_scales: Factors of the steps a frame.
        resblock_kernel_sizes: As HiFiGANGenerator takes them.
        resblock_dilations: As HiFiGANGenerator takes them.
        use_additional_convs: As HiFiGANGenerator takes it.
        subbands: Number of bands.
        n_fft: Size of a band's inverse STFT, in samples of the band.
        hop_samples: Samples of a band for each step.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 128,
        upsample_scales: Sequence[int] = (4, 4),
        resblock_kernel_sizes: Sequence[int] = (3, 7, 11),
        resblock_dilations: Sequence[Sequence[int]] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        use_additional_convs: bool = True,
        subbands: int = 4,
        n_fft: int = 16,
        hop_samples: int = 4,
    ):
        super().__init__(
            in_channels=in_channels,
            out_channels=subbands * (n_fft + 2),
            channels=channels,
            upsample_scales=list(upsample_scales),
            upsample_kernel_sizes=[2 * scale for scale in upsample_scales],
            resblock_kernel_sizes=list(resblock_kernel_sizes),
            resblock_dilations=[list(dilations) for dilations in resblock_dilations],
            use_additional_convs=use_additional_convs,
        )
        self.output_conv = self.output_conv[:-1]  # no tanh: spectra exceed -1 … 1
        self.subbands, self.n_fft, self.hop_samples = subbands, n_fft, hop_samples
        self.upsample_factor = math.prod(upsample_scales) * hop_samples * subbands
        self.pqmf = PQMF(subbands)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, c: torch.Tensor) -> torch.Tensor:
        """Turn mels (B, in_channels, T) into waveforms (B, 1, T * samples a frame)."""
        spectra = super().forward(c)
        batch, _, steps = spectra.shape
        magnitudes, phases = spectra.view(
            batch * self.subbands, self.n_fft + 2, steps
        ).chunk(2, dim=1)
        bands = self._invert(
            torch.polar(magnitudes.exp().clip(max=MAX_MAGNITUDE), phases)
        )
        return self.pqmf.synthesis(bands.view(batch, self.subbands, -1))

    def _invert(self, spectra: torch.Tensor) -> torch.Tensor:
        """Return waveforms (B, steps * hop) of spectra (B, n_fft / 2 + 1, steps)."""
        last = spectra[..., -1:]  # the last step has its samples on both sides
        return torch.istft(
            torch.cat((spectra, last), -1),
            self.n_fft,
            self.hop_samples,
            window=self.window,
        )
