"""The front end of a new recipe, from a g2p's name and a language."""

from espnet_distill.data.front_end import FrontEnd, default_cleaner, require_front_end
from espnet_distill.data.languages import G2P_LANGUAGES, language_of
from espnet_distill.errors import ConfigError, suggest
from espnet_distill.voice.espeak import load_espeak
from espnet_distill.voice.languages import require_language

ESPEAK = "espeak_ng"
US_ENGLISH = f"{ESPEAK}_english_us_vits"
NAMES = (ESPEAK, *G2P_LANGUAGES, "none")


def choose_front_end(g2p: str, language: str | None = None) -> FrontEnd:
    """Return the front end that a g2p's name stands for.

    Args:
        g2p: ``espeak_ng``, which phonemizes the language during data preparation, as all
            of ESPnet's ``espeak_ng_<language>`` but US English do here; another g2p of
            ESPnet; or ``none`` for graphemes.
        language: A tag such as ``de`` or ``pt-br``; None is the g2p's language.

    Raises:
        ConfigError: There is no such g2p or voice, the language is missing, or the g2p
            is for another.
    """
    if g2p not in NAMES:
        raise ConfigError(f"--g2p {g2p}: is none of ESPnet's; {suggest(g2p, NAMES)}")
    own = language_of(g2p)
    code = _code_of(language or own, g2p)
    if own and code != own:
        raise ConfigError(
            f"--language {language}: --g2p {g2p} is for {own}; name one of both"
        )
    if g2p.startswith(ESPEAK) and g2p != US_ENGLISH:
        return _phonemizing(language or own, code)
    token_type = "char" if g2p == "none" else "phn"
    cleaner = default_cleaner(token_type, g2p, code)
    front_end = FrontEnd(
        token_type,
        None if g2p == "none" else g2p,
        None if cleaner == "none" else cleaner,
        code,
    )
    require_front_end(front_end)
    return front_end


def _code_of(language: str | None, g2p: str) -> str:
    if not language:
        raise ConfigError(f"--g2p {g2p}: name the --language, too, such as de")
    try:
        return require_language(language)
    except ConfigError as error:
        raise ConfigError(f"--{error}") from error


def _phonemizing(voice: str, code: str) -> FrontEnd:
    """Return espeak-ng's front end; ESPnet itself has that of US English."""
    espeak = load_espeak()
    try:
        espeak.require_voice(voice)
    except ConfigError as error:
        raise ConfigError(f"--language: {error}") from error
    if voice == "en-us":
        return FrontEnd("phn", US_ENGLISH, None, code)
    return FrontEnd("phn", None, None, code, voice)
