"""``synthesize VOICE TEXT|FILE|- --out FILE|-``: text to audio."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import ConfigError
from .places import file_of, is_stream

STANDARD = "-"  # standard input or output


def add_arguments(parser) -> None:
    """Add the options."""
    parser.add_argument(
        "voice", type=Path, help="a folder that export wrote, or a Piper .onnx file"
    )
    parser.add_argument(
        "text", help="a text, the name of a text file, or - for standard input"
    )
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="a WAV file, or - for a stream"
    )
    parser.add_argument("--speaker", help="name of a speaker, if the voice has several")
    parser.add_argument("--speed", type=float, default=1.0, help="factor of the rate")
    parser.add_argument("--noise-scale", type=float, help="level of the noise")
    parser.add_argument(
        "--phonemes", action="store_true", help="the text is phonemes already"
    )
    parser.add_argument(
        "--raw", action="store_true", help="write 16-bit PCM without a WAV header"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="default: %(default)s"
    )


def main(args) -> None:
    """Synthesize; print the seconds of audio and of its synthesis."""
    from .voice import Voice

    if args.threads < 1:
        raise ConfigError(f"--threads: {args.threads}: expected 1 or more")
    voice = Voice(args.voice, args.threads)
    options = {
        "speaker": args.speaker,
        "speed": args.speed,
        "noise_scale": args.noise_scale,
        "phonemes": args.phonemes,
    }
    text, rate = read_text(args.text), voice.sample_rate
    if args.out == STANDARD:
        _write_stream(voice.stream(text, **options), None if args.raw else rate)
        return
    _require_place(Path(args.out))
    started = time.perf_counter()
    waves = voice.sentences(text, **options)
    count = _write_file(Path(args.out), waves, None if args.raw else rate)
    took = time.perf_counter() - started
    report = sys.stderr if is_stream(Path(args.out)) else sys.stdout
    print(f"{args.out}: {count / rate:.2f} s of audio in {took:.2f} s", file=report)


def read_text(text: str) -> str:
    """Return a text, the content of the file that it names, or standard input.

    Raises:
        ConfigError: The file does not exist, or the text is not UTF-8.
    """
    path = Path(text)
    try:
        if text == STANDARD:
            return _require_utf8(sys.stdin.read().removeprefix("\ufeff"), STANDARD)
        if _is_readable(path):
            return path.read_text(encoding="utf-8-sig")  # a byte order mark is no text
    except UnicodeDecodeError as error:
        raise _not_utf8(text) from error
    if path.suffix == ".txt" and len(text.split()) == 1:
        raise ConfigError(f"{text}: no such file")
    return _require_utf8(text, text[:40])


def _require_utf8(text: str, name: str) -> str:
    """Return a text; raise a ConfigError if it has bytes that were not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _not_utf8(name) from error
    return text


def _not_utf8(name: str) -> ConfigError:
    shown = name.encode(errors="backslashreplace").decode()
    return ConfigError(f"{shown}: cannot be read: it is not UTF-8")


def _is_readable(path: Path) -> bool:
    """Return True for a file and for a shell's ``<(command)``; False for any text."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    is_substitution = stat.S_ISFIFO(mode) and path.is_relative_to("/dev")
    return stat.S_ISREG(mode) or is_substitution


def _require_place(path: Path) -> None:
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigError(f"--out: {path}: name a file in a folder that exists")


def _write_file(path: Path, waves: Iterator, rate: int | None) -> int:
    """Write a file under its name once it is whole, with a header if rate is given.

    A device or a pipe is written to, as the waveforms come.

    Returns:
        The number of samples.
    """
    from .audio import BYTES, wav_header

    header = wav_header(rate) if rate else b""
    if is_stream(path):
        with open(path, "wb") as file:
            return _write_waves(file, waves, header)
    path = file_of(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            count = _write_waves(file, waves, header)
            if rate:
                file.seek(0)
                file.write(wav_header(rate, BYTES * count))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _write_waves(file, waves: Iterator, header: bytes) -> int:
    """Write a header and waveforms to a binary file; return the number of samples."""
    from .audio import to_pcm

    count = 0
    for wave in waves:
        file.write(header + to_pcm(wave))
        file.flush()
        header = b""
        count += len(wave)
    return count


def _write_stream(waves: Iterator, rate: int | None) -> None:
    """Write pieces to standard output as they come, with a WAV header if rate is given.

    A reader that closes the pipe ends the synthesis.
    """
    from .audio import wav_header

    if sys.stdout.isatty():
        raise ConfigError("--out -: standard output is a terminal; redirect it")
    header = wav_header(rate) if rate else b""
    try:
        _write_waves(sys.stdout.buffer, waves, header)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
