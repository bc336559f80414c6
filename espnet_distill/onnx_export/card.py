"""MODEL_CARD.md of a voice."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.utils.files import read_text, read_yaml

EVALUATION = "table.md"


def model_card(
    settings: Mapping,
    experiment: Experiment,
    name: str,
    license: str | None,
    corpus: str | None,
    figures: str | None,
) -> str:
    """Return the card of a voice.

    Args:
        settings: Content of voice.onnx.json.
        experiment: The text-to-mel model.
        name: The title.
        license: Of corpus and teacher, as given.
        corpus: Its name, as given.
        figures: The table of an evaluation.
    """
    sections = (
        [f"# {name}", _summary(settings)],
        ["## Model", *_rows(_model(settings, experiment))],
        ["## Data", *_rows({"Corpus": corpus, "License": license})],
        ["## Front end", *_rows(_front_end(settings)), *_warnings(settings)],
        ["## Export", *_rows(_export(settings))],
        ["## Evaluation", figures] if figures else [],
    )
    return (
        "\n\n".join("\n".join(part) for part in map(_spaced, sections) if part) + "\n"
    )


def _spaced(lines: list[str]) -> list[str]:
    """Return a section with an empty line after its title."""
    return [lines[0], "", *lines[1:]] if lines else []


def _rows(values: Mapping[str, object]) -> Iterator[str]:
    yield from ("| | |", "|---|---|")
    for label, value in values.items():
        shown = "not given" if value is None else str(value)
        yield f"| {label} | {' '.join(shown.split()).replace('|', '/')} |"


def _summary(settings: Mapping) -> str:
    rate, speakers = settings["audio"]["sample_rate"], settings["num_speakers"]
    return (
        f"A text-to-speech voice, exported by espnet_distill: `voice.onnx`, {rate} Hz, "
        f"{speakers} speaker{'s' if speakers > 1 else ''}."
    )


def _model(settings: Mapping, experiment: Experiment) -> dict[str, object]:
    made_from, record = settings["made_from"], _record(experiment)
    return {
        f"Text to {_output_of(experiment)}": f"`{made_from['tts']}`, "
        f"{made_from['parameters']:,} parameters",
        "Its checkpoint, SHA-256": f"`{made_from['checkpoint']}`",
        "Its configuration, SHA-256": f"`{made_from['config']}`",
        "Vocoder": f"`{made_from['vocoder']}`, "
        f"{made_from['vocoder_parameters']:,} parameters",
        "Its checkpoint and configuration, SHA-256": f"`{made_from['vocoder_files']}`",
        **record,
    }


def _output_of(experiment: Experiment) -> str:
    if is_text_to_wave(experiment.config):
        return "waveform"
    return "latents" if experiment.config.get("odim") else "mel"


def _record(experiment: Experiment) -> dict[str, object]:
    """Return teacher and pressure, if the training recorded them."""
    path = experiment.checkpoint.with_name("distill.yaml")
    record = read_yaml(path) if path.is_file() else {}
    if not isinstance(record, dict):
        return {}
    teachers, callbacks = record.get("teacher") or [], record.get("callbacks") or []
    pressures = [
        callback["pressure"]
        for callback in callbacks
        if isinstance(callback, dict) and "pressure" in callback
    ]
    found = {
        "Teacher, SHA-256 of its checkpoint": ", ".join(map(_teacher, teachers)),
        "Pressure": ", ".join(map(str, pressures)),
    }
    return {label: value for label, value in found.items() if value}


def _teacher(record: object) -> str:
    if not isinstance(record, Mapping):
        return str(record)
    return f"`{record.get('model')}`, `{record.get('model_sha256')}`"


def _front_end(settings: Mapping) -> dict[str, object]:
    front_end = settings["front_end"]
    return {
        "Phonemes": settings["phoneme_type"],
        "espeak-ng voice": settings["espeak"]["voice"] or "none",
        "Token type": front_end["token_type"],
        "g2p": front_end["g2p"] or "none",
        "Cleaner": front_end["cleaner"] or "none",
        "Language": front_end["language"],
    }


def _warnings(settings: Mapping) -> list[str]:
    return ["", *(f"- {line}" for line in settings["warnings"])] * bool(
        settings["warnings"]
    )


def _export(settings: Mapping) -> dict[str, object]:
    equality, size = settings["equality"], settings["files"]["voice.onnx"]["bytes"]
    rows = {
        "Largest difference of the waveform from PyTorch, fp32": f"{equality['wave']:.1e}",
        **_stream(equality),
        "Gain of the waveform": f"{settings['gain']:.2f}",
        "Weights": f"{settings['weights']}, {size / 1e6:.2f} MB",
    }
    if "mel" in equality:
        mel = equality["mel"]
        rows["Mean difference of log-mels, stored weights to fp32"] = (
            "durations differ" if mel is None else f"{mel:.4f}"
        )
    if "speed" in equality:
        rows["Dynamic quantization"] = f"{equality['speed']:.2f} × the speed of fp32"
    return rows


def _stream(equality: Mapping) -> dict[str, object]:
    if "stream" not in equality:
        return {}
    return {"The same, synthesized in pieces": f"{equality['stream']:.1e}"}


def read_figures(folder: Path) -> str:
    """Return the table of a folder that `evaluate` wrote.

    Raises:
        ConfigError: There is none.
    """
    path = folder / EVALUATION
    if not path.is_file():
        raise ConfigError(
            f"--evaluation: {path}: no such file; name a folder that evaluate wrote"
        )
    return read_text(path).strip()
