"""Languages of ESPnet's front ends."""

from espnet_distill.voice.languages import require_language

# g2p of ESPnet → language; the others are None and espeak's voices
G2P_LANGUAGES = {
    **dict.fromkeys(("g2p_en", "g2p_en_no_space", "espeak_ng_english_us_vits"), "en"),
    **dict.fromkeys(
        (
            *("pyopenjtalk", "pyopenjtalk_kana", "pyopenjtalk_accent"),
            *("pyopenjtalk_accent_with_pause", "pyopenjtalk_prosody"),
        ),
        "ja",
    ),
    **dict.fromkeys(
        ("pypinyin_g2p", "pypinyin_g2p_phone", "pypinyin_g2p_phone_without_prosody"),
        "zh",
    ),
    **dict.fromkeys(
        (
            *("g2pk", "g2pk_no_space", "g2pk_explicit_space"),
            *("korean_jaso", "korean_jaso_no_space"),
        ),
        "ko",
    ),
    "espeak_ng_arabic": "ar",
    "espeak_ng_german": "de",
    "espeak_ng_french": "fr",
    "espeak_ng_spanish": "es",
    "espeak_ng_russian": "ru",
    "espeak_ng_greek": "el",
    "espeak_ng_finnish": "fi",
    "espeak_ng_hungarian": "hu",
    "espeak_ng_dutch": "nl",
    "espeak_ng_hindi": "hi",
    "espeak_ng_italian": "it",
    "espeak_ng_ukrainian": "uk",
    "espeak_ng_polish": "pl",
    "g2p_is": "is",
}


def language_of(g2p: str | None, voice: str | None = None) -> str | None:
    """Return the language of a front end as a code such as ``de``; None if unknown.

    Args:
        g2p: A g2p of ESPnet; None or ``none`` if the text is in tokens already.
        voice: espeak-ng's language tag, for text that `phonemize` has made.
    """
    if voice:
        return require_language(voice)
    return G2P_LANGUAGES.get(g2p or "none")
