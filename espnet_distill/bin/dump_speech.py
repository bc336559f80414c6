"""Synthesize texts with a text-to-waveform teacher: waveforms, durations, latents.

Each job of a job array synthesizes the utterances of its `--key_file`, short texts
first, and skips those already dumped. After all jobs, `--finish` writes the lists and
the manifest. `teachers/speech_dump.py` describes the folder. An utterance has noise of
its own, whichever job synthesizes it.
"""

import argparse
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from espnet2.train.dataset import ESPnetDataset
from espnet2.utils.types import str2triple_str

from espnet_distill.data.inputs import require_inputs
from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_frontend import build_front_end
from espnet_distill.experiments.text_to_wave import (
    conditioning_of,
    require_text_to_wave,
    sampling_rate,
)
from espnet_distill.tasks.checks.compatibility import require_conditions
from espnet_distill.teachers.dumped import checksum_of_data, identity
from espnet_distill.teachers.speech_dump import SpeechFiles
from espnet_distill.teachers.text_to_wave import Synthesis, synthesize
from espnet_distill.utils.config_values import as_number
from espnet_distill.utils.files import flush_disk, read_table
from espnet_distill.utils.progress import progress_bar

NOISE = ("noise_scale", "noise_scale_dur")
CONDITIONS = {"sids": "sid", "lids": "lid"}


def speech_of(
    teacher: Experiment, args: argparse.Namespace, keys: list[str]
) -> Iterator[tuple[str, Synthesis, int]]:
    """Yield each utterance, the teacher's synthesis of it, its number of tokens."""
    model = teacher.model.to("cuda" if args.ngpu else "cpu").eval()
    preprocess = build_front_end(teacher.args, f"teacher {teacher}")
    dataset = ESPnetDataset(args.data_path_and_name_and_type, preprocess=preprocess)
    device = next(model.parameters()).device
    noise = {name: getattr(args, name) for name in NOISE}
    for key in progress_bar(keys, desc=args.output_dir.name, mininterval=10):
        data = dataset[key][1]
        ids = torch.as_tensor(data["text"], dtype=torch.long, device=device)
        given = {
            to: int(np.ravel(data[name])[0])
            for name, to in CONDITIONS.items()
            if name in data
        }
        if "spembs" in data:
            given["spembs"] = torch.as_tensor(data["spembs"]).reshape(-1)
        torch.manual_seed(zlib.crc32(key.encode()))
        decode = not args.latents_only
        try:
            speech = synthesize(model, ids, **noise, **given, decode=decode)
        except ConfigError as error:
            raise ConfigError(*(f"{key}: {line}" for line in error.faults)) from error
        if args.append_condition:
            speech = speech.append_condition()
        yield key, speech, len(ids)


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--teacher", required=True, help="a VITS, JETS or joint_text2wav experiment")
    add("--output_dir", type=Path, required=True)
    add(
        "--data_path_and_name_and_type",
        type=str2triple_str,
        action="append",
        required=True,
        help="texts, and ids or embeddings of speakers and languages",
    )
    add("--key_file", type=Path, help="the utterances of this job (default: all)")
    add("--noise_scale", type=float, default=0.333, help="noise of VITS's latents")
    add("--noise_scale_dur", type=float, default=0.0, help="noise of its durations")
    outputs = parser.add_mutually_exclusive_group()
    outputs.add_argument(
        "--latents", action="store_true", help="also the waveform decoder's input"
    )
    outputs.add_argument(
        "--latents_only",
        action="store_true",
        help="that input instead of waveforms: the decoder does not run",
    )
    add(
        "--append_condition",
        action="store_true",
        help="the decoder's global conditioning as latents, for a student of them",
    )
    add("--ngpu", type=int, default=0)
    add("--finish", action="store_true", help="all jobs are done: write the lists")
    return parser


def main(cmd=None) -> None:
    logging.basicConfig(level="INFO")
    args = get_parser().parse_args(cmd)
    teacher = Experiment(args.teacher)
    with_latents = args.latents or args.latents_only
    is_conditioned = conditioning_of(teacher.config) > 0
    if args.append_condition and not (with_latents and is_conditioned):
        raise ConfigError(
            "--append_condition: is for the latents of a VITS of several speakers or "
            "languages; leave it out"
        )
    files = SpeechFiles(
        args.output_dir,
        with_latents,
        is_conditioned and not args.append_condition,
        not args.latents_only,
    )
    data = {name: path for path, name, _ in args.data_path_and_name_and_type}
    if "text" not in data:
        raise ConfigError(
            f"--data_path_and_name_and_type: no text among {', '.join(data)}"
        )
    if args.finish:
        files.finish(read_table(data["text"]))
        return
    for name in NOISE:
        as_number(getattr(args, name), f"--{name}", least=0)
    require_text_to_wave(teacher.config, f"teacher {teacher}")
    require_conditions(list(data), teacher.config, f"teacher {teacher}")
    keys = list(read_table(args.key_file or data["text"]))
    require_inputs(args.data_path_and_name_and_type, keys)
    files.begin(_record(teacher, args))
    texts = read_table(data["text"])
    keys = sorted(
        (key for key in keys if not files.has(key)), key=lambda key: len(texts[key])
    )
    logging.info(f"{args.output_dir}: {len(keys)} utterances to synthesize")
    rate = sampling_rate(teacher.config, f"teacher {teacher}")
    for key, speech, tokens in speech_of(teacher, args, keys):
        files.add(key, speech, tokens, rate)
    flush_disk()


def _record(teacher: Experiment, args: argparse.Namespace) -> dict:
    return {
        "teacher": identity(teacher),
        "noise": {name: getattr(args, name) for name in NOISE},
        "latents": "only" if args.latents_only else args.latents,
        **({"append_condition": True} if args.append_condition else {}),
        "data": {
            name: checksum_of_data(path, kind)
            for path, name, kind in args.data_path_and_name_and_type
        },
    }


if __name__ == "__main__":
    main()
