"""Write a page: HTML, CSS and scripts that contain a voice and ONNX Runtime."""

import base64
import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from espnet_distill.onnx_export.web.runtime import WebRuntime
from espnet_distill.utils.files import folder_written_whole, read_json, require_new
from espnet_distill.voice import Voice
from espnet_distill.voice.phonemes import SPACE

SOURCES = Path(__file__).parent
PAGE = ("index.html", "page.css", "page.js")
NOTICE = "onnxruntime-web.txt"
LEXICON, CARD = "lexicon.txt", "MODEL_CARD.md"
EXAMPLES = {  # the Rainbow Passage, and a pangram
    "en": "The rainbow is a division of white light into many beautiful colors.",
    "de": "Franz jagt im komplett verwahrlosten Taxi quer durch Bayern.",
}
SETTINGS = (
    *("audio", "inference", "num_speakers", "speaker_id_map", "phoneme_id_map"),
    "phoneme_type",
)


def write_page(
    voice: str | Path,
    folder: str | Path,
    runtime: WebRuntime,
    examples: Sequence[str],
    name: str | None = None,
) -> Path:
    """Write a static page that synthesizes with a voice.

    It works from a disk, as scripts contain the voice and the runtime. Phonemes can be
    typed, and text if the voice has a lexicon.

    Args:
        voice: A voice folder.
        folder: New folder.
        runtime: What `find_runtime` returns.
        examples: Sentences to begin with, whose phonemes the front end computes; if
            there are none, one of the voice's language.
        name: The voice's; by default, that of its folder.

    Returns:
        The page's ``index.html``.

    Raises:
        ConfigError: The voice is not valid, or the folder exists.
    """
    folder, opened = Path(folder), Voice(voice)
    require_new(folder)
    settings = read_json(opened.config.path)
    lexicon, card = map(opened.path.with_name, (LEXICON, CARD))
    content = {
        "name": name or opened.path.parent.name,
        "bytes": opened.path.stat().st_size,
        "composed": opened.config.composed,
        "settings": {key: settings[key] for key in SETTINGS if key in settings},
        "examples": _examples(opened, examples),
        "card": card.is_file(),
        "lexicon": _packed(lexicon.read_bytes()) if lexicon.is_file() else None,
        "graph": _packed(opened.path.read_bytes()),
    }
    program = {
        "version": runtime.version,
        "module": _packed(runtime.module),
        "wasm": _packed(runtime.wasm),
    }
    with folder_written_whole(folder) as beside:
        for path in (*(SOURCES / name for name in (*PAGE, NOTICE)), card):
            if path.is_file():
                shutil.copy(path, beside)
        for name, value in {"VOICE": content, "RUNTIME": program}.items():
            script = f"globalThis.{name} = {json.dumps(value)};\n"
            (beside / f"{name.lower()}.js").write_text(script, encoding="utf-8")
    return folder / PAGE[0]


def _examples(voice: Voice, texts: Sequence[str]) -> list[dict[str, str]]:
    """Return texts and their phonemes, if a runtime has the voice's front end."""
    if voice.config.phoneme_type not in ("espeak", "text"):
        return []
    own = EXAMPLES.get(voice.config.language)
    return [
        {"text": text, "phonemes": _joined(voice.phonemize(text))}
        for text in texts or filter(None, [own])
    ]


def _joined(sentences: Sequence[Sequence[str]]) -> str:
    joined = " ".join("".join(phonemes) for phonemes in sentences)
    return joined.replace(SPACE, " ")


def _packed(content: bytes) -> str:
    """Return base64 of gzip, with no time in it."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()
