"""Export a text-to-mel experiment and a vocoder as a voice folder."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.experiments.text_to_wave import is_text_to_wave
from espnet_distill.utils.checksums import checksum
from espnet_distill.utils.files import (
    folder_written_whole,
    require_new,
    write_text,
    write_wav,
)

if TYPE_CHECKING:
    from espnet_distill.onnx_export.web.runtime import WebRuntime

CARD, TOKENS, WEB = "MODEL_CARD.md", "tokens.txt", "web"


@dataclass(frozen=True)
class Exported:
    """A voice that was written.

    Attributes:
        folder: Its folder.
        settings: Content of voice.onnx.json.
    """

    folder: Path
    settings: dict = field(repr=False)

    def report(self) -> str:
        """Return size, equality and warnings, a line each."""
        settings, equality = self.settings, self.settings["equality"]
        size = settings["files"]["voice.onnx"]["bytes"] / 1e6
        lines = [
            f"{self.folder}: {size:.2f} MB, weights in {settings['weights']}",
            f"Largest difference of the waveform from PyTorch, fp32: "
            f"{equality['wave']:.1e}",
        ]
        if equality.get("mel") is not None:
            lines.append(
                f"Mean difference of log-mels, stored weights to fp32: "
                f"{equality['mel']:.4f}"
            )
        if "speed" in equality:
            lines.append(
                f"Speed of dynamic quantization: {equality['speed']:.2f} × fp32"
            )
        return "\n".join([*lines, *(f"Warning: {one}" for one in settings["warnings"])])


def export(
    experiment: Experiment | str | Path,
    out: str | Path,
    *,
    vocoder: str | Path | None,
    weights: str = "fp16",
    quantize: str | None = None,
    streaming: bool = False,
    samples: Sequence[str] = (),
    lexicon: str | Path | None = None,
    data: str | Path | None = None,
    espeak_voice: str | None = None,
    speakers: str | Path | None = None,
    xvectors: Sequence[str] = (),
    language_id: int | None = None,
    license: str | None = None,
    corpus: str | None = None,
    evaluation: str | Path | None = None,
    web: "WebRuntime | None" = None,
) -> Exported:
    """Export a model as one ONNX graph from phoneme ids to a waveform.

    FastSpeech2 and FastSpeech need a vocoder; VITS, JETS and JointText2Wav have one.

    The graph is compared with PyTorch on sentences of three lengths before the folder
    gets its name.

    Args:
        experiment: Experiment, or a folder, ``.pth``, ``.zip`` or tag of one.
        out: New folder.
        vocoder: Vocoder: a checkpoint or an experiment folder; None for a model that
            synthesizes waveforms.
        weights: Storage of weights: fp16, fp32 or int8; they are computed in fp32.
        quantize: ``dynamic``: products in 8 bits, refused where they are not faster.
        streaming: Also write ``acoustic.onnx`` and ``vocoder.onnx``, which synthesize a
            sentence in pieces.
        samples: Sentences that are synthesized into ``samples/``.
        lexicon: File of words, or ``auto`` for the most frequent words of the language
            (package wordfreq), whose phonemes ``lexicon.txt`` gets.
        data: Data folder of the experiment, whose ``front_end.yaml`` has the language
            and espeak-ng's voice of phonemes.
        espeak_voice: espeak-ng's language tag of phonemes, such as ``de``.
        speakers: File of ``<name> <id>`` lines (ESPnet's ``spk2sid``).
        xvectors: Names of speakers of the training set, whose embeddings become
            constants, for a model of speaker embeddings.
        language_id: The language's id, of a model of several languages.
        license: License of corpus and teacher, for the card.
        corpus: Name of the corpus, for the card.
        evaluation: Folder that `evaluate` wrote, for the card.
        web: What `find_runtime` returns, for a page in ``web/``.

    Returns:
        The voice that was written.

    Raises:
        ConfigError: A model or a vocoder that cannot be exported, mels of other
            settings, masks that were not removed, an option that has no effect, a sample
            or a lexicon that the voice cannot have, a waveform that differs from
            PyTorch's by more than 1e-4, or a quantized one that is slower or worse.
    """
    out = Path(out)
    require_new(out)
    from espnet_distill.onnx_export.build import build_voice
    from espnet_distill.onnx_export.card import read_figures
    from espnet_distill.onnx_export.front_end import choose_front_end
    from espnet_distill.onnx_export.lexicon import AUTO, NOTICE, words_of_voice
    from espnet_distill.onnx_export.storage import WEIGHTS
    from espnet_distill.utils.config_values import one_of

    one_of(weights, WEIGHTS, "--weights")
    if quantize:
        from espnet_distill.onnx_export.quantize import QUANTIZE

        one_of(quantize, QUANTIZE, "--quantize")
    if data and not Path(data).is_dir():
        raise ConfigError(
            f"--data: {data}: no such folder; name the experiment's data folder, or "
            "leave it out"
        )
    figures = evaluation and read_figures(Path(evaluation))
    experiment = Experiment.of(experiment)
    front_end = choose_front_end(experiment, data and Path(data), espeak_voice)
    sentences = [front_end.tokens_of(sentence) for sentence in samples]
    words = lexicon and words_of_voice(
        str(lexicon), front_end.symbols.kind, front_end.front_end.language
    )
    options = {
        "weights": weights,
        "front_end": front_end,
        "data": data and Path(data),
        "speakers": speakers and Path(speakers),
        "xvectors": list(dict.fromkeys(xvectors)),
        "language_id": language_id,
    }
    if is_text_to_wave(experiment.config):
        from espnet_distill.onnx_export.text_to_wave.build import build_text_to_wave

        _require_without_mels(
            experiment,
            {
                "--vocoder": vocoder,
                "--streaming": streaming,
                "--quantize": quantize,
            },
        )
        built = build_text_to_wave(experiment, **options)
    else:
        built = build_voice(
            experiment,
            vocoder,
            quantize=quantize,
            streaming=streaming,
            **options,
        )
    if lexicon == AUTO:
        built.settings["warnings"].append(NOTICE)
    with folder_written_whole(out) as beside:
        card = {"license": license, "corpus": corpus, "figures": figures}
        settings = _write(built, beside, sentences, words, out.name, **card)
        if web:
            from espnet_distill.onnx_export.web.page import write_page

            write_page(beside, beside / WEB, web, samples, name=out.name)
    return Exported(out, settings)


def _require_without_mels(experiment: Experiment, given: Mapping) -> None:
    """Raise a ConfigError for given options of models that compute mels."""
    for option, value in given.items():
        if value:
            raise ConfigError(
                f"{option}: {experiment} synthesizes waveforms without mels; leave it out"
            )


def _write(built, folder: Path, sentences, words, name: str, **card) -> dict:
    """Write a voice of a name into a folder; return the content of voice.onnx.json."""
    from espnet_distill.onnx_export.card import model_card
    from espnet_distill.voice.voice import GRAPH

    for file, content in built.files.items():
        (folder / file).write_bytes(content)
    write_text(folder / TOKENS, tokens_file(built.settings["phoneme_id_map"]))
    if words:
        _write_lexicon(folder, words, built.settings)
    files = {file: _described(folder / file) for file in (*built.files, TOKENS)}
    settings = built.settings | {"files": files}
    text = json.dumps(settings, ensure_ascii=False, indent=1)
    write_text(folder / f"{GRAPH}.json", f"{text}\n")
    write_text(folder / CARD, model_card(settings, built.experiment, name, **card))
    _write_samples(folder, map(built.pad, sentences))
    return settings


def _write_lexicon(folder: Path, words: Sequence[str], settings: dict) -> None:
    from espnet_distill.onnx_export.lexicon import (
        LEXICON,
        LEXICON_TOKENS,
        lexicon_lines,
        lexicon_tokens,
    )

    voice, symbols = settings["espeak"]["voice"], settings["phoneme_id_map"]
    lines = lexicon_lines(words, voice, settings["front_end"]["language"], symbols)
    write_text(folder / LEXICON, "".join(lines))
    write_text(folder / LEXICON_TOKENS, tokens_file(lexicon_tokens(symbols)))


def _described(path: Path) -> dict[str, object]:
    return {"bytes": path.stat().st_size, "sha256": checksum(path)}


def tokens_file(ids: dict[str, list[int]]) -> str:
    """Return sherpa-onnx's tokens.txt: a symbol and its id a line."""
    return "".join(f"{symbol} {of[0]}\n" for symbol, of in ids.items())


def _write_samples(folder: Path, sentences: Iterable[Sequence[int]]) -> None:
    from espnet_distill.voice import Voice

    sentences = list(sentences)
    if not sentences:
        return
    voice = Voice(folder)
    (folder / "samples").mkdir()
    for number, ids in enumerate(sentences, start=1):
        path = folder / "samples" / f"{number}.wav"
        wave, _ = voice.synthesize_ids(ids)
        write_wav(path, wave, voice.sample_rate)
