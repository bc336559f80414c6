"""Measure the cost of a training step: no teacher, dumped teacher, online teacher.

A 2 M-parameter FastSpeech2 is trained on 4 s utterances (i) without a teacher, (ii)
from a dump of the 37 M FastSpeech2 of ESPnet's LJSpeech recipe, (iii) with that teacher
online; the objectives are mel, encoder, decoder, duration, pitch and energy. Each
variant runs in its process, on all cores or on a GPU, and the variants alternate; a
step includes reading its batch from disk. Memory is the peak resident set, or with
`--device cuda` the peak of PyTorch's GPU allocations.

Dumping is then timed against the teacher's forward pass on the same batches.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import yaml

RATE, HOP, SECONDS, TOKENS_EACH = 22050, 256, 4.0, 56
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BATCH = 8

PREDICTORS = {
    "duration_predictor_layers": 2,
    "duration_predictor_kernel_size": 3,
    "pitch_predictor_kernel_size": 5,
    "energy_predictor_layers": 2,
    "energy_predictor_kernel_size": 3,
    "pitch_embed_kernel_size": 1,
    "energy_embed_kernel_size": 1,
    "positionwise_layer_type": "conv1d",
    "positionwise_conv_kernel_size": 3,
    "encoder_normalize_before": True,
    "decoder_normalize_before": True,
}
STUDENT = {
    **PREDICTORS,
    **{"adim": 144, "aheads": 2, "elayers": 3, "dlayers": 3},
    **{"eunits": 208, "dunits": 208, "postnet_layers": 0, "pitch_predictor_layers": 2},
    **{f"{x}_predictor_chans": 144 for x in ("duration", "pitch", "energy")},
}
LJSPEECH = {
    **PREDICTORS,
    **{"adim": 384, "aheads": 2, "elayers": 4, "dlayers": 4},
    **{"eunits": 1536, "dunits": 1536, "postnet_layers": 5, "postnet_chans": 256},
    **{"postnet_filts": 5, "pitch_predictor_layers": 5},
    **{f"{x}_predictor_chans": 256 for x in ("duration", "pitch", "energy")},
}
OBJECTIVES = [
    {"type": "mel", "weight": 2.0},
    {"type": "hidden", "tap": "encoder", "weight": 0.3},
    {"type": "hidden", "tap": "decoder", "weight": 0.3},
    {"type": "duration"},
    {"type": "pitch"},
    {"type": "energy"},
]


def write_corpus(folder: Path, utterances: int) -> list[str]:
    """Write noise with text and durations; return the data specifications."""
    rng = np.random.default_rng(0)
    frames = int(SECONDS * RATE) // HOP + 1
    measures = ("pitch", "energy")  # precomputed, as in a recipe's stage 6
    lines = {name: [] for name in ("text", "wav.scp", "durations", *measures)}
    folder.mkdir()
    for name in (f"u{number:03}" for number in range(utterances)):
        wav = folder / f"{name}.wav"
        soundfile.write(wav, 0.1 * rng.standard_normal((frames - 1) * HOP), RATE)
        durations = np.full(TOKENS_EACH + 1, frames // (TOKENS_EACH + 1))
        durations[0] += frames - durations.sum()
        lines["text"].append(
            f"{name} {''.join(rng.choice(list(LETTERS), TOKENS_EACH))}"
        )
        lines["wav.scp"].append(f"{name} {wav}")
        lines["durations"].append(f"{name} {' '.join(map(str, durations))}")
        for measure in measures:
            np.save(folder / f"{name}.{measure}.npy", rng.random((TOKENS_EACH + 1, 1)))
            lines[measure].append(f"{name} {folder}/{name}.{measure}.npy")
    for name, rows in lines.items():
        (folder / name).write_text("\n".join(rows) + "\n")
    return [
        f"{folder}/text,text,text",
        f"{folder}/wav.scp,speech,sound",
        f"{folder}/durations,durations,text_int",
        *(f"{folder}/{measure},{measure},npy" for measure in measures),
    ]


def write_config(path: Path, tts_conf: dict, **more) -> Path:
    mel = {"fs": RATE, "n_fft": 1024, "hop_length": HOP}
    config = {
        "tts": "fastspeech2",
        "tts_conf": tts_conf,
        "feats_extract_conf": {**mel, "n_mels": 80},
        "normalize": None,
        "pitch_extract": "dio",
        "pitch_extract_conf": {**mel, "f0min": 80, "f0max": 400},
        "energy_extract": "energy",
        "energy_extract_conf": mel,
        "token_list": ["<blank>", "<unk>", *LETTERS, "<sos/eos>"],
        "token_type": "char",
        "cleaner": None,
        "g2p": None,
        **more,
    }
    path.write_text(yaml.safe_dump(config))
    return path


def write_teacher(folder: Path) -> None:
    """Write an experiment with random weights, whose values do not affect the cost."""
    import torch

    from espnet_distill.tasks.text2mel import DistillTTSTask

    folder.mkdir()
    train = write_config(folder / "train.yaml", LJSPEECH)
    options = ["--config", str(train), "--output_dir", str(folder)]
    DistillTTSTask.main(cmd=[*options, "--dry_run", "true"])
    model, _ = DistillTTSTask.build_model_from_file(folder / "config.yaml")
    torch.save(model.state_dict(), folder / "train.loss.ave.pth")


def write_dump(root: Path, data: list[str]) -> float:
    """Dump the teacher; return the utterances a second, without start-up."""
    from espnet_distill.bin import dump_teacher as dump
    from espnet_distill.bin import finish_dump

    options = ["--config", str(root / "dumped.yaml")]
    files = [f"--data_path_and_name_and_type={item}" for item in data]
    seconds = []
    run = dump.dump

    def timed(teacher, taps, args, keys):
        start = time.perf_counter()
        run(teacher, taps, args, keys)
        seconds.append(time.perf_counter() - start)

    dump.dump = timed
    for name in ("train", "valid"):
        out = ["--output_dir", str(root / "dump" / name)]
        text = str(root / "data" / "text")
        dump.main([*options, *out, *files, "--key_file", text])
        finish_dump.main([*options, *out, "--text", text])
    dump.dump = run
    return len(Path(text).read_text().splitlines()) / min(seconds)


def work(config: str, data: list[str], device: str, pipe) -> None:
    """Train one variant in a worker: one step a message; reply with its seconds."""
    import torch
    from espnet2.torch_utils.device_funcs import to_device
    from espnet2.train.dataset import ESPnetDataset

    from espnet_distill.tasks.text2mel import DistillTTSTask

    files = [
        f"--{s}_data_path_and_name_and_type={d}"
        for s in ("train", "valid")
        for d in data
    ]
    options = ["--config", config, "--output_dir", str(Path(config).with_suffix(""))]
    options += ["--train_shape_file=-", "--valid_shape_file=-"]
    args = DistillTTSTask.get_parser().parse_args([*options, *files])
    DistillTTSTask.check_required_command_args(args)
    model = DistillTTSTask.build_model(args).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    dataset = ESPnetDataset(
        args.train_data_path_and_name_and_type,
        preprocess=DistillTTSTask.build_preprocess_fn(args, True),
    )
    collate = DistillTTSTask.build_collate_fn(args, True)
    names = list(dataset.loader_dict["text"])[:BATCH]
    while pipe.recv():
        start = time.perf_counter()
        _, batch = collate([dataset[name] for name in names])
        loss, _, _ = model(**to_device(batch, device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        pipe.send(time.perf_counter() - start)
    on_gpu = device == "cuda"
    pipe.send(torch.cuda.max_memory_allocated() if on_gpu else peak_resident_set())


def peak_resident_set() -> int:
    """Return the peak in bytes; that of getrusage would start at the parent's."""
    status = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def forward_speed(root: Path, data: list[str]) -> float:
    """Return the utterances a second of the teacher's batched forward pass."""
    import torch
    from espnet2.train.dataset import ESPnetDataset

    from espnet_distill.experiments.experiment import Experiment
    from espnet_distill.tasks.text2mel import DistillTTSTask

    teacher = Experiment(root / "teacher")
    model, args = teacher.model, teacher.args
    files = [tuple(item.split(",")) for item in data]
    dataset = ESPnetDataset(
        files, preprocess=DistillTTSTask.build_preprocess_fn(args, False)
    )
    names = list(dataset.loader_dict["text"])
    collate = DistillTTSTask.build_collate_fn(args, False)
    batches = [
        collate([dataset[name] for name in names[first : first + BATCH]])[1]
        for first in range(0, len(names), BATCH)
    ]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        with torch.no_grad():
            for batch in batches:
                model(**{name: value.clone() for name, value in batch.items()})
        seconds.append(time.perf_counter() - start)
    return len(names) / min(seconds)


def measure(root: Path, steps: int, utterances: int, device: str = "cpu") -> dict:
    data = write_corpus(root / "data", utterances)
    write_teacher(root / "teacher")
    distillation = {"teacher": [str(root / "teacher")]}
    distillation["distill_conf"] = {
        "ground_truth_weight": 0.3,
        "objectives": OBJECTIVES,
    }
    dump = {"teacher_dump": str(root / "dump")}
    configs = {
        "plain": write_config(root / "plain.yaml", STUDENT),
        "dumped": write_config(root / "dumped.yaml", STUDENT, **distillation, **dump),
        "online": write_config(root / "online.yaml", STUDENT, **distillation),
    }
    dump_speed = write_dump(root, data)
    teacher_speed = forward_speed(root, data)

    context = multiprocessing.get_context("spawn")
    pipes, workers = {}, []
    for name, config in configs.items():
        pipes[name], worker_end = context.Pipe()
        worker = context.Process(
            target=work, args=(str(config), data, device, worker_end)
        )
        worker.start()
        workers.append(worker)
    times = {name: [] for name in configs}
    for step in range(steps + 2):
        for name, pipe in pipes.items():
            pipe.send(True)
            seconds = pipe.recv()
            if step >= 2:  # after two warm-up steps
                times[name].append(seconds)
        print(f"step {step + 1} of {steps + 2}", file=sys.stderr)
    memory = {}
    for name, pipe in pipes.items():
        pipe.send(False)
        memory[name] = pipe.recv()
    for worker in workers:
        worker.join()
    seconds = {name: median(values) for name, values in times.items()}
    return {
        "seconds": seconds,
        "memory": memory,
        "ratios": {
            "dumped_over_plain": seconds["dumped"] / seconds["plain"],
            "online_over_dumped": seconds["online"] / seconds["dumped"],
            "rss_dumped_over_plain": memory["dumped"] / memory["plain"],
            "dump_over_forward_speed": dump_speed / teacher_speed,
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="fewer steps, within a minute"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the ratios as one object"
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    args = parser.parse_args()
    steps, utterances = (5, 16) if args.quick else (30, 64)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), steps, utterances, args.device)
    if args.json:
        ratios = {name: round(value, 3) for name, value in result["ratios"].items()}
        print(json.dumps(ratios))
        return
    for name, seconds in result["seconds"].items():
        megabytes = result["memory"][name] / 1e6
        print(f"{name:8} {seconds:.3f} s a step, {megabytes:.0f} MB")
    for name, value in result["ratios"].items():
        print(f"{name:24} {value:.2f}")


if __name__ == "__main__":
    main()
