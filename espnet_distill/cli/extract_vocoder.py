"""``espnet-distill extract-vocoder``: extract a vocoder from the model it is part of."""

from pathlib import Path

import yaml

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.files import (
    folder_written_whole,
    require_new,
    write_tensors,
    write_text,
)


def add_arguments(parser) -> None:
    parser.add_argument(
        "experiment",
        metavar="EXP",
        help="experiment folder of a vocoder's training, or of a joint_text2wav",
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="new folder")
    parser.add_argument(
        "--half", action="store_true", help="store weights in half precision"
    )


def main(args) -> None:
    """Write generator, statistics and mel settings; the discriminator stays."""
    require_new(args.out)
    conf, weights = _read(Experiment(args.experiment))
    if args.half:
        weights = {
            key: value.half() if value.is_floating_point() else value
            for key, value in weights.items()
        }
    with folder_written_whole(args.out) as beside:
        write_tensors(beside / "model.pth", weights)
        write_text(beside / "config.yaml", yaml.safe_dump(conf, sort_keys=False))
    size = (args.out / "model.pth").stat().st_size / 1e6
    print(
        f"{args.out}: {size:.2f} MB; {sum(v.numel() for v in weights.values()):,} weights"
    )


def _read(experiment: Experiment) -> tuple[dict, dict]:
    """Return configuration and weights of a vocoder.

    Raises:
        ConfigError: The experiment has none that can be extracted.
    """
    conf = experiment.config
    if conf["tts"] == "joint_text2wav":
        from espnet_distill.vocoders.joint import vocoder_of_joint

        return vocoder_of_joint(experiment)
    if conf["tts"] != "vocoder":
        raise ConfigError(
            f"{experiment}: is no vocoder's (tts: {conf['tts']}), nor a joint_text2wav"
        )

    from espnet_distill.vocoders.distilled import KEPT, load_generator, weights_of

    load_generator(experiment.checkpoint, experiment.config_file)  # refuses faults
    kept = {key: conf[key] for key in KEPT if key in conf}
    return kept, weights_of(experiment.checkpoint)
