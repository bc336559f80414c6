"""espeak-ng through its C interface: find the library, list voices, text to phonemes."""

import ctypes
import ctypes.util
import functools
import importlib.util
import os
import shutil
import threading
from collections.abc import Iterator

from .errors import ConfigError, suggest

LIBRARY, DATA = "PHONEMIZER_ESPEAK_LIBRARY", "ESPEAK_DATA_PATH"


def provide_espeak() -> None:
    """Point phonemizer to the library of espeakng-loader, if there is no other."""
    if os.environ.get(LIBRARY) or shutil.which("espeak-ng"):
        return
    if importlib.util.find_spec("espeakng_loader") is None:
        return
    import espeakng_loader

    os.environ[LIBRARY] = espeakng_loader.get_library_path()
    os.environ[DATA] = espeakng_loader.get_data_path()


@functools.cache
def load_espeak() -> "Espeak":
    """Return the process's espeak-ng.

    Raises:
        ConfigError: The library is not installed, or cannot be loaded.
    """
    provide_espeak()
    library = os.environ.get(LIBRARY) or ctypes.util.find_library("espeak-ng")
    if not library:
        raise ConfigError("espeak-ng: not installed; pip install espeakng-loader")
    return Espeak(library, os.environ.get(DATA))


class _Voice(ctypes.Structure):
    """espeak_VOICE of espeak-ng's speak_lib.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


class Espeak:
    """A loaded espeak-ng library.

    The library has one current voice for the whole process; a lock guards it.

    Args:
        library: The shared library.
        data: The folder that contains ``espeak-ng-data``, or that folder itself;
            None is the library's own default.

    Raises:
        ConfigError: The library cannot be loaded, or finds no data.
    """

    SYNCHRONOUS, NO_EXIT, UTF8, IPA = 2, 0x8000, 1, 2

    def __init__(self, library: str, data: str | None):
        try:
            self.library = ctypes.CDLL(library)
        except OSError as error:
            raise ConfigError(
                f"{LIBRARY}: {library}: {error}; name libespeak-ng, or unset it"
            ) from error
        path = data.encode() if data else None
        options = (self.SYNCHRONOUS, 0, path, self.NO_EXIT)
        if self.library.espeak_Initialize(*options) < 0:
            raise ConfigError(
                f"{DATA}: {data}: espeak-ng finds no data there; name the folder of "
                "espeak-ng-data, or unset it"
            )
        self.library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self.library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.lock = threading.Lock()
        self.voice: str | None = None

    @functools.cached_property
    def voices(self) -> dict[str, str]:
        """Voice names of espeak-ng by language tag, such as ``en-us``."""
        found: dict[str, tuple[int, str]] = {}
        for voice in self._voices():
            for priority, tag in _languages(voice.languages):
                place = (priority, voice.identifier.decode())
                found[tag] = min(place, found.get(tag, place), key=lambda one: one[0])
        return {tag: identifier for tag, (_, identifier) in found.items()}

    def _voices(self) -> Iterator[_Voice]:
        pointers = self.library.espeak_ListVoices(None)
        index = 0
        while pointers[index]:
            yield pointers[index].contents
            index += 1

    def require_voice(self, tag: str) -> str:
        """Return the voice name of a language tag; raise a ConfigError if unknown."""
        if tag not in self.voices:
            raise ConfigError(
                f"voice {tag!r}: espeak-ng has no such language; "
                f"{suggest(tag, sorted(self.voices))}"
            )
        return self.voices[tag]

    def text_to_phonemes(self, text: str, voice: str, separator: str = "") -> str:
        """Return the IPA of a text; the text's punctuation is not in it.

        Args:
            text: A text in the voice's language; NUL is a space.
            voice: A language tag of :attr:`voices`.
            separator: A character between the phonemes of a word.

        Returns:
            Words separated by spaces, with stress marks and with flags such as
            ``(en)`` where espeak-ng switches the language.
        """
        name = self.require_voice(voice).encode()
        buffer = ctypes.create_string_buffer(text.replace("\0", " ").encode())
        position = ctypes.c_void_p(ctypes.addressof(buffer))
        mode = self.IPA | ord(separator or "\0") << 8
        pieces = []
        with self.lock:
            if self.voice != voice:
                if self.library.espeak_SetVoiceByName(name) != 0:
                    raise ConfigError(f"voice {voice!r}: espeak-ng cannot load it")
                self.voice = voice
            while position.value:  # one clause a call; NULL after the last one
                piece = self.library.espeak_TextToPhonemes(
                    ctypes.byref(position), self.UTF8, mode
                )
                pieces.append(piece.decode())
        return " ".join(" ".join(pieces).split())


def _languages(address: int) -> Iterator[tuple[int, str]]:
    """Yield (priority, language tag) of espeak_VOICE.languages, a packed list."""
    while priority := ctypes.string_at(address, 1)[0]:
        tag = ctypes.string_at(address + 1)
        yield priority, tag.decode()
        address += len(tag) + 2
