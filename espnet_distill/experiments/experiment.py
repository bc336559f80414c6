"""The object that all commands pass: a trained ESPnet model, on disk or in memory."""

import argparse
import contextlib
import copy
import io
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from espnet_distill.errors import ConfigError, summarize
from espnet_distill.experiments.archive import CONFIG, copy_into, with_own_names
from espnet_distill.experiments.config import read_config, read_keys
from espnet_distill.experiments.locate import USUAL_NAMES, locate
from espnet_distill.experiments.portable_config import write_portable
from espnet_distill.experiments.statistics import require_statistics, statistics_files
from espnet_distill.experiments.text_frontend import build_front_end, require_bpemodel
from espnet_distill.experiments.training_config import training_of, write_training
from espnet_distill.experiments.weights import (
    cast_like,
    load_weights,
    require_all_weights,
)
from espnet_distill.utils.checksums import checksum, checksum_of
from espnet_distill.utils.files import (
    folder_written_whole,
    require_new,
    tensor_bytes,
    work_folder,
    write_tensors,
    write_text,
    written_whole,
)


def path_of(source) -> Path:
    """Return the path of an experiment's source; of an Experiment, its checkpoint."""
    return source.checkpoint if isinstance(source, Experiment) else Path(source)


def build_untrained(conf: Mapping) -> tuple:
    """Build an ESPnetTTSModel with its initial weights; return it and ESPnet's args.

    ESPnet changes its arguments, so they are a copy of the configuration.
    """
    from espnet2.tasks.tts import TTSTask

    import espnet_distill

    espnet_distill.register()
    args = argparse.Namespace(**copy.deepcopy(dict(conf)))
    return TTSTask.build_model(args), args


def require_origin(experiment: "Experiment") -> "Experiment":
    """Return the experiment that another one was made from.

    Raises:
        ConfigError: It was opened from disk, where its origin is not recorded.
    """
    if experiment.origin is None:
        raise ConfigError(
            f"{experiment}: was opened from disk, where its origin is not recorded; "
            "compare it before it is saved"
        )
    return experiment.origin


class Experiment:
    """A trained ESPnet model: configuration, weights, statistics and front end.

    On disk it is a configuration and a checkpoint. :meth:`with_model` makes one in
    memory, which :meth:`save` writes. Nothing is read before it is needed, and the
    checkpoint is read once.

    Example::

        teacher = Experiment("exp/tts_teacher")
        print(teacher.config["tts"], teacher.checkpoint)
        mel = teacher.model.inference(text)["feat_gen"]

    Attributes:
        origin: The experiment that this one was made from; None on disk.
        notes: Sentences on how it was made.
        files: Text files that :meth:`save` writes beside it, by name.
    """

    def __init__(self, source, usual: tuple[str, ...] = USUAL_NAMES):
        """Locate a trained experiment.

        Args:
            source: A folder, ``.pth``, ``.zip``, tag or mapping, see
                :func:`~.locate.locate`.
            usual: The checkpoint names to try in a folder, in order.

        Raises:
            ConfigError: There is no such experiment.
        """
        self._files: tuple[Path, Path] | None = locate(source, usual)
        self.origin: Experiment | None = None
        self.notes: tuple[str, ...] = ()
        self.files: dict[str, str] = {}
        self._weights_name = "model.pth"

    @classmethod
    def of(cls, source) -> "Experiment":
        """Return an experiment as it is, and open any other source."""
        return source if isinstance(source, cls) else cls(source)

    def __str__(self) -> str:
        """Return the name for messages: the configuration's path."""
        return str(self.config_file) if self._files else f"{self.origin}, changed"

    def __repr__(self) -> str:
        return f"Experiment({self})"

    @property
    def config_file(self) -> Path:
        """The configuration on disk."""
        return self._on_disk()[0]

    @property
    def checkpoint(self) -> Path:
        """The weights on disk."""
        return self._on_disk()[1]

    def _on_disk(self) -> tuple[Path, Path]:
        if self._files is None:
            raise ConfigError("the experiment is in memory; save it to a folder first")
        return self._files

    @cached_property
    def config(self) -> dict:
        """The configuration, with values of checked types."""
        return read_config(self.config_file)

    @cached_property
    def training(self) -> dict:
        """The training configuration that :meth:`save` writes as ``train.yaml``."""
        return training_of(self.config)

    @cached_property
    def weights(self) -> dict:
        """The state dict of the ESPnetTTSModel, all of whose values are finite."""
        return load_weights(self.checkpoint)

    @property
    def model(self):
        """The ESPnetTTSModel in eval mode, which callers do not change."""
        return self._model_and_args[0]

    @property
    def args(self) -> argparse.Namespace:
        """The configuration as ESPnet's functions take it."""
        return self._model_and_args[1]

    @cached_property
    def _model_and_args(self) -> tuple:
        return self._build()

    def build(self):
        """Build a model of the caller's own: an ESPnetTTSModel, strictly loaded.

        Raises:
            ConfigError: The checkpoint is truncated, is no state dict, holds NaN or
                infinity, or differs from the model in keys or shapes; the sentencepiece
                model is missing; or the statistics are invalid.
        """
        return self._build()[0]

    def _build(self) -> tuple:
        from espnet2.tasks.tts import TTSTask

        import espnet_distill

        espnet_distill.register()
        if self._files is None:
            model, args = build_untrained(self.config)
            model.load_state_dict(self.weights)
            return model.eval(), args
        require_bpemodel(self.config, str(self))
        weights = self.weights
        require_statistics(self.config, f"{self}: ")
        try:
            model, args = TTSTask.build_model_from_file(*self._files)
        except Exception as error:  # any exception of the configured class
            raise ConfigError(
                f"{self}: cannot build the model: {summarize(error)}"
            ) from error
        require_all_weights(model, weights, self.checkpoint)
        return model.eval(), args

    def clone(self) -> "Experiment":
        """Return the same experiment with a model of its own, which may be changed."""
        clone = copy.copy(self)
        clone.__dict__["_model_and_args"] = self._build()
        return clone

    def build_untrained(self, tts_conf: Mapping):
        """Build an ESPnetTTSModel of another ``tts_conf`` with its initial weights."""
        return build_untrained(self.config | {"tts_conf": tts_conf})[0]

    @cached_property
    def front_end(self) -> Callable | None:
        """ESPnet's preprocessor: text to token ids; None where there is none."""
        return build_front_end(self.args, str(self))

    @property
    def statistics(self) -> dict[str, Path]:
        """The files of the normalization: feats, pitch, energy → file."""
        return statistics_files(self.config)

    @property
    def identity(self) -> dict[str, str]:
        """Checksums of checkpoint and configuration, which a result is keyed by.

        The configuration's checksum includes the sentencepiece model that it names.
        """
        config = checksum(self.config_file)
        bpemodel = read_keys(self.config_file).get("bpemodel")
        if bpemodel and Path(bpemodel).is_file():
            config = checksum_of([config, checksum(bpemodel)])
        return {"checkpoint": checksum(self.checkpoint), "config": config}

    @property
    def frames_per_second(self) -> float | None:
        """Mel frames per second of speech.

        None for a model that was trained on features of its data (``odim``), which has
        no extractor.
        """
        if self.model.feats_extract is None:
            return None
        parameters = self.model.feats_extract.get_parameters()
        return parameters["fs"] / parameters["n_shift"]

    def checkpoint_bytes(self) -> bytes:
        """Return the content of the checkpoint, or what :meth:`save` would write."""
        if self._files:
            return self.checkpoint.read_bytes()
        return tensor_bytes(self.weights)

    def with_model(
        self,
        tts: str,
        tts_conf: Mapping,
        state: Mapping,
        *,
        training: Mapping | None = None,
        weights_name: str = "model.pth",
        full_precision: bool = False,
        notes: Iterable[str] = (),
        files: Mapping[str, str] = {},
    ) -> "Experiment":
        """Return this experiment with another text-to-mel model, in memory.

        Features, statistics and front end stay.

        Args:
            tts: The choice of ``--tts``.
            tts_conf: Its configuration.
            state: Its state dict, without the prefix ``tts.``; every key must match.
            training: The training configuration that continues from it; None is that
                of this experiment, an empty one of a model that cannot train.
            weights_name: The name of its checkpoint in a folder.
            full_precision: Keep the state's precision; else the checkpoint gets that of
                this experiment.
            notes: Sentences on how it was made.
            files: Text files that :meth:`save` writes beside it, by name.

        Raises:
            RuntimeError: The configuration describes another model than the state's.
        """
        made = copy.copy(self)
        for name in ("_model_and_args", "front_end", "weights", "training"):
            made.__dict__.pop(name, None)
        made._files, made.origin, made.notes = None, self, tuple(notes)
        made.files = dict(files)
        made.config = self.config | {"tts": tts, "tts_conf": dict(tts_conf)}
        made.training = training_of(made.config) if training is None else dict(training)
        made._weights_name = weights_name
        made.weights = self._complete(made.config, state)
        if not full_precision:
            made.weights = cast_like(made.weights, self.weights)
        return made

    def _complete(self, conf: dict, state: Mapping) -> dict:
        """Return all weights of an ESPnetTTSModel whose ``tts`` has a state."""
        model, _ = build_untrained(conf)
        shapes = model.tts.state_dict()
        model.tts.load_state_dict(
            {
                name: tensor.view_as(shapes[name]) if name in shapes else tensor
                for name, tensor in state.items()
            }
        )
        own = self.model.state_dict()
        return {
            name: tensor if name.startswith("tts.") else own[name]
            for name, tensor in model.state_dict().items()
        }

    def save(self, folder: str | Path) -> "Experiment":
        """Write the experiment into a new folder, whole or not at all.

        The folder gets ``config.yaml``, the checkpoint, the statistics and other files
        that the configuration names, and ``train.yaml``, with which stock ESPnet
        continues the training of a model that can train.

        Returns:
            The experiment on disk.

        Raises:
            ConfigError: The folder exists or cannot be made.
        """
        out = Path(folder)
        require_new(out)
        with folder_written_whole(out) as beside:
            self._write(beside, out.absolute())
            if self.training:
                write_training(beside, self.training, out / self._weights_name)
            for name, text in self.files.items():
                write_text(beside / name, text)
        return Experiment(out / self._weights_name)

    def _write(self, folder: Path, seen_as: Path) -> None:
        """Write checkpoint, configuration and the files that it names."""
        write_tensors(folder / self._weights_name, self.weights)
        conf = with_own_names(self.config, copy_into(folder), seen_as)
        write_portable(conf, folder / CONFIG)

    def pack(self, archive: str | Path) -> Path:
        """Pack the experiment as ``espnet2.bin.pack`` does, into a new ``.zip``.

        Raises:
            ConfigError: The archive exists or cannot be made.
        """
        from espnet2.main_funcs.pack_funcs import pack

        archive = Path(archive).absolute()
        if archive.suffix != ".zip":
            raise ConfigError(f"{archive}: is no packed model's name; end it in .zip")
        require_new(archive)
        with work_folder(archive) as folder, written_whole(archive) as beside:
            self._write(folder, Path())
            names = {path.name for path in folder.iterdir()}
            with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
                pack(
                    {"model_file": self._weights_name},
                    {"train_config": CONFIG},
                    beside,
                    names - {self._weights_name, CONFIG},
                )
        return archive
