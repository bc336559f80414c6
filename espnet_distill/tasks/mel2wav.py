"""ESPnet's GAN task, extended by the distillation of vocoders (`--tts vocoder`)."""

import argparse
import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2.layers.global_mvn import GlobalMVN
from espnet2.tasks.gan_tts import GANTTSTask, tts_choices
from espnet2.train.collate_fn import CommonCollateFn
from espnet2.train.gan_trainer import GANTrainer

from espnet_distill.data.audio import require_recordings
from espnet_distill.data.mel_spec import MelSpec, require_extractor
from espnet_distill.errors import INVALID, ConfigError, ErrorCollector, summarize
from espnet_distill.experiments.config import read_config
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.statistics import require_statistics
from espnet_distill.objectives.base import Objective
from espnet_distill.objectives.waveform import STFT
from espnet_distill.tasks import options
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.training.callback_list import Callbacks
from espnet_distill.training.child_processes import (
    errors_of_child,
    exit_with_children,
)
from espnet_distill.training.espnet_trainer import CallbackTrainer
from espnet_distill.training.optimizer_state import (
    TEACHERS,
    require_resumable,
    save_with,
)
from espnet_distill.training.output_dir import CHECKPOINT, is_resumed, output_locked
from espnet_distill.training.run_record import write_record
from espnet_distill.utils.config_values import as_text
from espnet_distill.utils.files import read_table
from espnet_distill.utils.locking import require_unlocked
from espnet_distill.vocoders.dump import identity, is_finished, require_dump
from espnet_distill.vocoders.generators.base import Generator
from espnet_distill.vocoders.generators.registry import arguments_of, build_generator
from espnet_distill.vocoders.latents import (
    FREE_PHASE,
    STATISTICS,
    LatentSpec,
    input_of,
    is_latent_dump,
)
from espnet_distill.vocoders.training.gan import SEGMENT, VocoderGAN
from espnet_distill.vocoders.training.model import DistillVocoderModel
from espnet_distill.vocoders.training.segment import Segment

VOCODER = "vocoder"


# Default objectives.
SPECTRA = [{"type": "stft", "weight": 1.0}]


# Default objectives of generators that predict F0, whose phases are their own.
PREDICTED_F0 = [
    {"type": "stft", "weight": 1.0, "complex": 0.0},
    {"type": "f0", "weight": 3.0},
]


# Default objective of a component whose phases the network predicts.
COMPONENT = {"type": "free_phase", "weight": 10.0}


# Data names, and the lists and types of their files in a dump of mels.
DATA_FILES = {
    "mel": ("mel.scp", "npy"),
    "f0": ("f0.scp", "npy"),
    "teacher_wave": ("wave.scp", "sound"),
}


tts_choices.classes[VOCODER] = VocoderGAN  # at import, for spawned processes


class VocoderTrainer(CallbackTrainer, GANTrainer):
    """ESPnet's GANTrainer, which writes its files atomically."""


class WaveSource:
    """Identity of a vocoder's dump and objectives, which a resumed run must share."""

    def __init__(self, dump: str, objectives: list[str]):
        """Read the manifests of a dump of waves."""
        self.state = {"objectives": objectives} | {
            name: identity(Path(dump) / name) for name in ("train", "valid")
        }

    def state_dict(self) -> dict:
        return self.state

    def require_same(self, state: dict | None) -> None:
        """Raise a ConfigError if a state is of another dump or other objectives."""
        if state is None:
            logging.warning(
                "checkpoint.pth: has no checksums of its dump, as an earlier version "
                "wrote it; continuing with this one"
            )
            return
        for name, value in self.state.items():
            if state[name] != value:
                subject = name if name == "objectives" else f"waves of the {name} set"
                raise ConfigError(f"the {subject} were others")

    def load_state_dict(self, state: dict) -> None:
        """Do nothing: `require_same` has compared the state."""


class DistillGANTTSTask(GANTTSTask):
    """The task of `espnet2.bin.gan_tts_train` with the plugin.

    With `tts: vocoder` it trains a vocoder on the waveforms in `teacher_dump`; with any
    other choice it equals GANTTSTask.
    """

    trains_vocoder = False  # set by build_model, which each process calls

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser):
        super().add_task_arguments(parser)
        options.add_arguments(parser)
        parser.add_argument(
            "--text2mel",
            help="The text-to-mel experiment whose mels the vocoder gets",
        )

    @classmethod
    def check_required_command_args(cls, args: argparse.Namespace):
        """Check the arguments, and add the dump to the data of the training."""
        require_unlocked(args.output_dir)
        if args.tts != VOCODER:
            _require_stock(args)
            super().check_required_command_args(args)
            return
        args.token_list = args.token_list or []  # a vocoder reads no text
        super().check_required_command_args(args)
        with ErrorCollector() as faults:
            check_vocoder_conf(args, faults)

    @classmethod
    def required_data_names(
        cls, train: bool = True, inference: bool = False
    ) -> tuple[str, ...]:
        if cls.trains_vocoder:
            return ("f0", "teacher_wave")
        return super().required_data_names(train, inference)

    @classmethod
    def optional_data_names(
        cls, train: bool = True, inference: bool = False
    ) -> tuple[str, ...]:
        if cls.trains_vocoder:
            return ("mel", "latents", "condition", "speech", "free_phase")
        return super().optional_data_names(train, inference)

    @classmethod
    def build_preprocess_fn(cls, args: argparse.Namespace, train: bool):
        if args.tts != VOCODER:
            return super().build_preprocess_fn(args, train)
        hop_length = input_of(vars(args)).hop_length
        frames = args.model_conf.get("segment_size", SEGMENT)
        return Segment(frames, hop_length, train)

    @classmethod
    def build_collate_fn(cls, args: argparse.Namespace, train: bool):
        if args.tts != VOCODER:
            return super().build_collate_fn(args, train)
        return CommonCollateFn(float_pad_value=0.0, int_pad_value=0)

    @classmethod
    def build_model(cls, args: argparse.Namespace):
        cls.trains_vocoder = args.tts == VOCODER
        if not cls.trains_vocoder:
            _take(args)
            cls.trainer = GANTrainer
            return super().build_model(args)
        distill_options = vocoder_options(args)
        text2mel = {"text2mel": args.text2mel} if args.text2mel else {}
        cls.record = {
            **text2mel,
            "teacher": identity(Path(distill_options.dump) / "train")["teacher"],
            "teacher_dump": distill_options.dump,
            "distill_conf": {"objectives": distill_options.objectives},
        }
        _take(args)
        objectives = distill_options.build_objectives()
        cls.source = WaveSource(
            distill_options.dump, [item.label for item in objectives]
        )
        return build_vocoder_model(args, objectives)

    @classmethod
    def build_optimizers(cls, args: argparse.Namespace, model):
        optimizers = super().build_optimizers(args, model)
        if cls.trains_vocoder:
            payloads = {TEACHERS: cls.source}
            save_with(optimizers[0], payloads)
            if is_resumed(args):
                require_resumable(Path(args.output_dir, CHECKPOINT), model, payloads)
                _require_same_generator(args)
            write = functools.partial(write_record, args.output_dir, cls.record)
            cls.trainer = VocoderTrainer.of(Callbacks(), write)
        return optimizers

    @classmethod
    def main(cls, *args, **kwargs):
        with exit_with_children():
            return super().main(*args, **kwargs)

    @classmethod
    def main_worker(cls, args: argparse.Namespace):
        """Train; lock the folder of a vocoder's training."""
        is_stock = args.tts != VOCODER
        with errors_of_child(), output_locked(args, is_stock):
            super().main_worker(args)


def check_vocoder_conf(
    args: argparse.Namespace, faults: ErrorCollector, planned: bool = False
):
    """Check a vocoder's configuration, and complete the arguments by it.

    Args:
        args: The training's; mel settings, statistics and data are set.
        faults: Collects the errors.
        planned: Whether the dump may be made later.

    Returns:
        The options and the settings of the input, each INVALID if its check fails.
    """
    distill_options = faults.check(vocoder_options, args)
    faults.check(_require_gan_trainer, args)
    has_latents = is_latent_dump(args.teacher_dump)
    inputs = faults.check(_take_latents if has_latents else _take_mels, args)
    if not args.teacher_dump:
        faults.lines.append(
            "teacher_dump: missing; name the folder of waveforms that "
            f"espnet_distill.bin.dump_waves wrote, to train tts: {VOCODER}"
        )
        return distill_options, inputs
    if faults.check(as_text, args.teacher_dump, "teacher_dump") is INVALID:
        return distill_options, inputs
    for name in ("train", "valid"):
        if not planned or is_finished(Path(args.teacher_dump) / name):
            faults.check(_add_dump, args, name, inputs)
    return distill_options, inputs


def vocoder_options(args: argparse.Namespace) -> DistillOptions:
    """Read the options of a vocoder; the default objectives depend on its generator.

    Raises:
        ConfigError: Invalid options, or others than objectives.
    """
    conf = args.distill_conf or {}
    with ErrorCollector() as faults:
        distill_options = faults.check(DistillOptions.of, args)
        faults.lines += [
            f"{key}: not supported for a vocoder; leave it out"
            for key in _given(args, "teacher", "callbacks")
        ]
        faults.lines += [
            f"distill_conf.{key}: not supported for a vocoder; leave it out"
            for key in (conf if isinstance(conf, dict) else ())
            if key != "objectives"
        ]
    if "objectives" not in conf:
        kind = (args.tts_conf or {}).get("vocoder_type")
        predicts_f0 = kind == "harmonic_istft_generator"
        objectives = PREDICTED_F0 if predicts_f0 else SPECTRA
        component = [COMPONENT] if _has_free_phase(args) else []
        distill_options.objectives = objectives + component
    return distill_options


def _has_free_phase(args: argparse.Namespace) -> bool:
    """Return whether the generator predicts a component with phases of its own."""
    params = (args.tts_conf or {}).get("vocoder_params")
    return isinstance(params, Mapping) and bool(params.get("free_phase"))


def _given(args: argparse.Namespace, *keys: str) -> list[str]:
    return [key for key in keys if getattr(args, key)]


def _require_gan_trainer(args: argparse.Namespace) -> None:
    """Raise a ConfigError for options that ESPnet's GANTrainer does not support."""
    with ErrorCollector() as faults:
        faults.lines += [
            f"{key}: not supported by ESPnet's GAN trainer; leave it out"
            for key in _given(args, "grad_noise", "skip_discriminator_prob")
        ]
        if args.accum_grad > 1:
            faults.lines.append("accum_grad: ESPnet's GAN trainer supports 1 only")
        if args.batch_type != "unsorted":
            faults.lines.append(
                f"batch_type: {args.batch_type}: segments have one length; use unsorted"
            )
        if args.generator_first:
            faults.lines.append(
                "generator_first: the discriminator is updated first; leave it out"
            )
        if options.has_replicas(args):
            faults.lines.append(
                f"ngpu: {args.ngpu} in one process are not supported by ESPnet's GAN "
                "trainer; set multiprocessing_distributed: true"
            )


def build_vocoder_model(
    args: argparse.Namespace, objectives: Sequence[Objective]
) -> DistillVocoderModel:
    """Build the model of a vocoder's training from `tts_conf`, `model_conf` and input.

    Raises:
        ConfigError: Settings from which it cannot be built.
    """
    inputs = input_of(vars(args))
    require_statistics({"normalize": "global_mvn", **vars(args)})
    try:
        normalize = GlobalMVN(**args.normalize_conf)
    except Exception as error:  # NumPy, typeguard and the file system
        raise ConfigError(f"normalize_conf: {summarize(error)}") from error
    generator = build_generator(args.tts_conf, inputs)
    mels = inputs if isinstance(inputs, MelSpec) else inputs.mels()
    _require_taps(generator, objectives)
    try:
        tts = VocoderGAN(generator, mels, objectives, **args.model_conf)
    except TypeError as error:
        raise ConfigError(f"model_conf: {summarize(error)}") from error
    return DistillVocoderModel(normalize, tts)


def _require_same_generator(args: argparse.Namespace) -> None:
    """Raise a ConfigError if a resumed training's generator has other arguments.

    Weights have the shapes of another noise, too, and config.yaml would get it, which is
    read for the inference, even if no update is left.
    """
    path = Path(args.output_dir, "config.yaml")
    if not path.is_file():
        return
    before = arguments_of(read_config(path)["tts_conf"], f"{path}: tts_conf")
    for key, value in arguments_of(args.tts_conf).items():
        if _as_list(value) != _as_list(before.get(key)):
            raise ConfigError(
                f"{path}: tts_conf.vocoder_params.{key}: {before.get(key)}, but this "
                f"training has {value}; resume with that, or train into another "
                "output_dir"
            )


def _as_list(value):
    return list(value) if isinstance(value, tuple) else value


def _require_taps(generator: Generator, objectives: Sequence[Objective]) -> None:
    """Raise a ConfigError if the objectives do not fit the generator."""
    with ErrorCollector() as faults:
        for item in objectives:
            where = f"distill_conf.objectives: {item.label}"
            if item.taps not in (("waveform",), ("log_f0",), ("free_phase",)):
                faults.lines.append(
                    f"{where} requires {', '.join(item.taps)}; a vocoder has a "
                    "waveform only; use stft"
                )
            elif item.taps == ("log_f0",) and not generator.predicts_f0:
                faults.lines.append(
                    f"{where}: only a harmonic_istft_generator predicts F0; leave it "
                    "out"
                )
            elif item.taps == ("free_phase",) and not generator.has_free_phase:
                faults.lines.append(
                    f"{where}: the generator has no free_phase; set "
                    "tts_conf.vocoder_params.free_phase, or leave it out"
                )
            is_complex = type(item) is STFT and item.term_weights["complex"]
            if generator.predicts_f0 and is_complex:
                faults.lines.append(
                    f"{where}.complex: a harmonic_istft_generator sets its phases "
                    "itself; use 0"
                )
        learns_f0 = any(item.taps == ("log_f0",) for item in objectives)
        if generator.predicts_f0 and not learns_f0:
            faults.lines.append(
                "distill_conf.objectives: a harmonic_istft_generator requires the f0 "
                "objective; add {type: f0, weight: 3.0}"
            )


def _take(args: argparse.Namespace) -> None:
    """Remove the plugin's keys, so that config.yaml holds those of stock ESPnet."""
    options.take(args)
    if hasattr(args, "text2mel"):
        del args.text2mel


def _take_mels(args: argparse.Namespace) -> MelSpec:
    """Copy the mel settings and statistics of the text-to-mel experiment."""
    if not args.text2mel:
        raise ConfigError(
            "text2mel: missing; name the text-to-mel experiment whose mel settings and "
            "statistics the vocoder uses"
        )
    conf = Experiment(args.text2mel).config
    require_extractor(conf, f"text2mel: {args.text2mel}")
    if conf.get("normalize") != "global_mvn":
        raise ConfigError(
            f"text2mel: {args.text2mel} normalizes its mels by "
            f"{conf.get('normalize')}; name an experiment with global_mvn"
        )
    args.feats_extract = "fbank"
    for key in ("feats_extract_conf", "normalize", "normalize_conf"):
        setattr(args, key, conf.get(key) or {})
    return MelSpec.of_conf(args.feats_extract_conf)


def _take_latents(args: argparse.Namespace) -> LatentSpec:
    """Copy the settings and statistics of a dump of latents."""
    if args.text2mel:
        raise ConfigError(
            f"text2mel: {args.text2mel}: teacher_dump {args.teacher_dump} has latents, "
            "which no text-to-mel model predicts; leave it out"
        )
    folder = Path(args.teacher_dump) / "train"
    spec = LatentSpec.of_set(folder)
    args.tts_conf = dict(args.tts_conf) | {"latents": spec.as_dict()}
    args.feats_extract, args.feats_extract_conf = None, {}
    args.normalize = "global_mvn"
    args.normalize_conf = {"stats_file": str(folder / STATISTICS)}
    return spec


def _require_stock(args: argparse.Namespace) -> None:
    given = _given(args, "teacher", "teacher_dump", "text2mel", "callbacks")
    if given:
        raise ConfigError(
            f"{', '.join(given)}: not supported for tts: {args.tts}; leave it out"
        )


def _add_dump(
    args: argparse.Namespace, name: str, inputs: MelSpec | LatentSpec
) -> None:
    folder = Path(args.teacher_dump) / name
    lists = DATA_FILES
    if isinstance(inputs, MelSpec):
        require_dump(folder, inputs)
    else:
        lists = inputs.lists
        if LatentSpec.of_set(folder) != inputs:
            raise ConfigError(
                f"{folder}: latents of another model than those of the training set; "
                "dump both sets with one teacher"
            )
    if _has_free_phase(args):
        lists = lists | {"free_phase": FREE_PHASE}
        if not (folder / FREE_PHASE[0]).is_file():
            raise ConfigError(
                f"tts_conf.vocoder_params.free_phase: {folder / FREE_PHASE[0]}: no such "
                "file; leave free_phase out, or dump the teacher's component"
            )
    key = f"{name}_data_path_and_name_and_type"
    paths = [
        (str(folder / scp), data_name, kind) for data_name, (scp, kind) in lists.items()
    ]
    given = list(getattr(args, key))
    _require_given(given, list(read_table(Path(paths[0][0]))), inputs.fs)
    setattr(args, key, paths + given)
    setattr(args, f"{name}_shape_file", [paths[0][0]])  # lists the utterances


def _require_given(given: Sequence, utterances: Sequence[str], rate: int) -> None:
    """Raise a ConfigError for recordings that do not fit a dump, or that lack some."""
    for path, data_name, kind in given:
        if data_name == "speech" and kind == "sound":
            require_recordings(Path(path), utterances, rate)
