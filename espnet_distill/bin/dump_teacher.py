"""Run the teachers of a distillation once over a set of data and write their taps.

Each job of a job array dumps the utterances of its `--key_file`, one array for each tap
and utterance, and skips those already dumped. After all jobs,
`espnet_distill.bin.finish_dump` writes the index and the manifest.
"""

import argparse
import logging
from pathlib import Path

from espnet2.tasks.tts import TTSTask
from espnet2.train.dataset import ESPnetDataset
from espnet2.utils.types import str2triple_str
from torch.utils.data import BatchSampler, DataLoader

from espnet_distill.data.audio import MOST_FAULTS, require_recordings, required_by
from espnet_distill.data.inputs import require_inputs
from espnet_distill.data.utterances import takes_durations
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.config import read_config
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_frontend import build_front_end
from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.tasks.checks.compatibility import (
    require_conditions,
    require_same_tokens,
)
from espnet_distill.tasks.options import DistillOptions
from espnet_distill.teachers.dump_writer import BEGUN, TapFiles
from espnet_distill.teachers.dumped import (
    begin,
    checksum_of_data,
    folder_name,
    identity,
)
from espnet_distill.teachers.online import OnlineTeacher
from espnet_distill.utils.files import flush_disk, read_durations, read_table
from espnet_distill.utils.progress import progress_bar

OTHERS = (
    "taps of another teacher, of other data or other objectives; remove it or name "
    "another folder"
)


def dump(teacher: OnlineTeacher, files: TapFiles, args, keys: list[str]) -> None:
    """Write a teacher's taps of utterances `keys`, in batches in this order."""
    device = "cuda" if args.ngpu > 0 else "cpu"
    preprocess = build_front_end(teacher.args, "teacher")
    dataset = ESPnetDataset(args.data_path_and_name_and_type, preprocess=preprocess)
    batches = DataLoader(
        dataset,
        batch_sampler=BatchSampler(keys, args.batch_size, drop_last=False),
        collate_fn=TTSTask.build_collate_fn(teacher.args, False),
        num_workers=1,
    )
    with progress_bar(
        total=len(keys), desc=files.folder.name, mininterval=10
    ) as progress:
        for utterances, batch in batches:
            order = batch["text_lengths"].argsort(descending=True)  # as Tacotron2 packs
            batch = {name: value[order].to(device) for name, value in batch.items()}
            files.write([utterances[i] for i in order], teacher(batch))
            progress.update(len(utterances))
    flush_disk()


def describe(experiment: str, teacher: OnlineTeacher, taps, args) -> dict:
    """Return the record of a dump: teacher, data and the taps' shapes."""
    shapes = teacher.probe().tensors
    return {
        "teacher": identity(experiment),
        "data": {
            name: checksum_of_data(path, kind)
            for path, name, kind in args.data_path_and_name_and_type
        },
        "taps": {tap: list(shapes[tap].shape) for tap in taps},
    }


def _require_durations(path: str) -> None:
    """Raise a ConfigError for empty durations, at which ESPnet's reader fails."""
    for utterance, frames in read_durations(path, read_table(path)).items():
        if not frames:
            raise ConfigError(f"{path}: {utterance} has no durations; align it again")


def _require_fit(path: str, samples: dict[str, int], teacher: OnlineTeacher) -> None:
    """Raise a ConfigError for durations that are not those of the recordings.

    Args:
        path: The durations.
        samples: Samples of each utterance's recording.
        teacher: A model that takes durations; ESPnet asserts that they fit.
    """
    hop_length = teacher.model.feats_extract.get_parameters()["n_shift"]
    step = teacher.recorder.reduction_factor
    lines = []
    for utterance, frames in read_durations(path, samples).items():
        total = step * sum(frames)
        expected = 1 + samples[utterance] // hop_length
        if not 0 <= expected - total < step:
            lines.append(
                f"{path}: {utterance}: {total} frames, but the recording has {expected} "
                f"of {hop_length} samples; align the recordings again"
            )
    if lines:
        raise ConfigError(*lines[:MOST_FAULTS])


def run_job(index: int, experiment: str, taps: tuple[str, ...], args) -> None:
    """Dump the utterances of one job for one teacher, short texts first."""
    conf = Experiment(experiment).config
    if is_text_to_wave(conf):
        raise ConfigError(
            f"teacher {experiment}: synthesizes waveforms; its text encoder runs during "
            "the training: leave teacher_dump out"
        )
    require_same_tokens(vars(args), conf, f"teacher {experiment}")
    names = [name for _, name, _ in args.data_path_and_name_and_type]
    require_conditions(names, conf, f"teacher {experiment}")
    folder = args.output_dir / folder_name(index)
    files = TapFiles(folder, taps)
    teacher = OnlineTeacher(experiment, taps)
    available = teacher.probe()
    for tap in taps:
        available.require(tap, f"teacher {experiment}")
    record = describe(experiment, teacher, taps, args)
    if (folder / BEGUN).is_file():
        begin(folder / BEGUN, record, OTHERS)
    data = {name: path for path, name, _ in args.data_path_and_name_and_type}
    if "text" not in data:
        raise ConfigError(
            f"--data_path_and_name_and_type: no text among {', '.join(data)}"
        )
    if "durations" in data:
        _require_durations(data["durations"])
    keys = list(read_table(args.key_file))
    require_inputs(args.data_path_and_name_and_type, keys)
    texts = read_table(data["text"])
    keys = sorted(
        (key for key in keys if not files.has(key)), key=lambda key: len(texts[key])
    )
    for path, name, kind in args.data_path_and_name_and_type:
        if name == "speech" and kind == "sound":
            required = required_by(teacher.model.feats_extract)
            samples = require_recordings(path, keys, **required)
            if "durations" in data and takes_durations(teacher.model.tts):
                _require_fit(data["durations"], samples, teacher)
    begin(folder / BEGUN, record, OTHERS)
    logging.info(f"{folder}: {len(keys)} utterances to dump")
    dump(teacher, files, args, keys)


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        help="the student's training configuration",
    )
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument(
        "--data_path_and_name_and_type",
        type=str2triple_str,
        action="append",
        required=True,
    )
    parser.add_argument(
        "--token_list", help="the student's token list, equal to the teacher's"
    )
    parser.add_argument(
        "--key_file", required=True, help="the utterances of this job, one a line"
    )
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--ngpu", type=int, default=0)
    return parser


def main(cmd=None) -> None:
    logging.basicConfig(level="INFO")
    args = get_parser().parse_args(cmd)
    options = DistillOptions.of(argparse.Namespace(**read_config(args.config)))
    for index, experiment in enumerate(options.teachers):
        run_job(index, experiment, options.targets(), args)


if __name__ == "__main__":
    main()
