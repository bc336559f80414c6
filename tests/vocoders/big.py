"""A vocoder to learn from, with random weights."""

import torch
import yaml

from espnet_distill.data.mel_spec import MelSpec


def save_hifigan(folder, features, scales):
    """Write a HiFi-GAN for these mels, as ParallelWaveGAN does; return its file."""
    from espnet2.gan_tts.hifigan.hifigan import HiFiGANGenerator

    mels = MelSpec.of_conf(features)
    network = {
        "in_channels": mels.n_mels,
        "channels": 8,
        "upsample_scales": scales,
        "upsample_kernel_sizes": [2 * scale for scale in scales],
        "resblock_kernel_sizes": [3],
        "resblock_dilations": [[1]],
    }
    torch.manual_seed(0)
    generator = HiFiGANGenerator(**network)
    # default initialization yields near-zero output
    for name, value in generator.named_parameters():
        if name.endswith("weight_g"):
            torch.nn.init.uniform_(value, 1, 2)
    config = {
        "sampling_rate": mels.fs,
        "fft_size": mels.n_fft,
        "hop_size": mels.hop_length,
        "win_length": mels.win_length,
        "window": mels.window,
        "num_mels": mels.n_mels,
        "fmin": mels.fmin,
        "fmax": mels.fmax,
        "log_base": mels.log_base,
        "generator_type": "HiFiGANGenerator",
        "generator_params": network,
    }
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    state = {"model": {"generator": generator.state_dict()}}
    torch.save(state, folder / "checkpoint.pkl")
    return folder / "checkpoint.pkl"
