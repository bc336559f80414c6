"""Languages: their tags, and how their numbers are written."""

from dataclasses import dataclass, field

from .errors import ConfigError


@dataclass(frozen=True)
class NumberWords:
    """Words of a language that num2words lacks, and the form of its numbers.

    Attributes:
        minus: The sign in words, which num2words lacks or joins in some languages.
        point: The decimal mark in words.
        percent: ``%`` in words.
        ampersand: ``&`` in words.
        decimal: The decimal mark.
        group: The marks between groups of three digits, as in a character class.
        abbreviations: Abbreviations with their periods → words.
        numbered: Those that are abbreviations before a digit only.
        months: Names after which a number with a period, a day, is an ordinal.
    """

    minus: str
    point: str
    percent: str
    ampersand: str
    decimal: str = ","
    group: str = ".\u00a0\u202f'"
    abbreviations: dict[str, str] = field(default_factory=dict)
    numbered: dict[str, str] = field(default_factory=dict)
    months: tuple[str, ...] = ()


ENGLISH = {
    **{"Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Miss", "Dr.": "Doctor"},
    **{"Prof.": "Professor", "St.": "Saint", "Jr.": "Junior", "Sr.": "Senior"},
    **{"Capt.": "Captain", "Lt.": "Lieutenant", "Col.": "Colonel", "Maj.": "Major"},
    **{"Gen.": "General", "Sgt.": "Sergeant", "Rev.": "Reverend", "Gov.": "Governor"},
    **{"Hon.": "Honorable", "Esq.": "Esquire", "Messrs.": "Messieurs"},
    **{"Co.": "Company", "Ltd.": "Limited", "Inc.": "Incorporated", "vs.": "versus"},
    **{"e.g.": "for example", "i.e.": "that is", "etc.": "et cetera"},
    **{"Sen.": "Senator", "Rep.": "Representative", "Mt.": "Mount", "Ph.D.": "PhD"},
}


GERMAN = {
    **{"z.B.": "zum Beispiel", "z. B.": "zum Beispiel", "d.h.": "das heißt"},
    **{"d. h.": "das heißt", "usw.": "und so weiter", "bzw.": "beziehungsweise"},
    **{"u.a.": "unter anderem", "ca.": "circa", "vgl.": "vergleiche"},
    **{"Dr.": "Doktor", "Prof.": "Professor", "Hr.": "Herr", "Fr.": "Frau"},
    **{"St.": "Sankt", "Str.": "Straße", "Nr.": "Nummer", "evtl.": "eventuell"},
}


ENGLISH_NUMBERED = {
    **{"No.": "Number", "no.": "number", "Nos.": "Numbers", "nos.": "numbers"},
    **{"Fig.": "Figure", "fig.": "figure", "Vol.": "Volume", "vol.": "volume"},
    **{"Ch.": "Chapter", "ch.": "chapter", "p.": "page", "pp.": "pages"},
    **{"Jan.": "January", "Feb.": "February", "Mar.": "March", "Apr.": "April"},
    **{"Aug.": "August", "Sep.": "September", "Sept.": "September"},
    **{"Oct.": "October", "Nov.": "November", "Dec.": "December"},
}
GERMAN_NUMBERED = {
    **{"S.": "Seite", "Abb.": "Abbildung", "Kap.": "Kapitel", "Bd.": "Band"},
    **{"Art.": "Artikel", "Abs.": "Absatz", "Tel.": "Telefon"},
}
# Titles, after which no sentence begins
FRENCH = {"M.": "Monsieur", "MM.": "Messieurs", "Mme.": "Madame", "Dr.": "Docteur"}
SPANISH = {
    **{"Sr.": "Señor", "Sra.": "Señora", "Srta.": "Señorita", "Dr.": "Doctor"},
    **{"Dra.": "Doctora", "Ud.": "usted", "Uds.": "ustedes"},
}
ITALIAN = {"Sig.": "Signor", "Dott.": "Dottor", "Prof.": "Professor", "Dr.": "Dottor"}
PORTUGUESE = {"Sr.": "Senhor", "Sra.": "Senhora", "Dr.": "Doutor", "Dra.": "Doutora"}
GERMAN_MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August"),
    *("September", "Oktober", "November", "Dezember"),
)
SPACED = " .\u00a0\u202f"  # 12 000, too


# Languages whose numbers were tried; elsewhere the g2p reads the digits.
NUMBER_WORDS = {
    "en": NumberWords(
        *("minus", "point", "percent", "and", ".", ","), ENGLISH, ENGLISH_NUMBERED
    ),
    "de": NumberWords(
        *("minus", "Komma", "Prozent", "und"),
        abbreviations=GERMAN,
        numbered=GERMAN_NUMBERED,
        months=GERMAN_MONTHS,
    ),
    "fr": NumberWords(
        *("moins", "virgule", "pour cent", "et"), group=SPACED, abbreviations=FRENCH
    ),
    "es": NumberWords("menos", "coma", "por ciento", "y", abbreviations=SPANISH),
    "it": NumberWords("meno", "virgola", "per cento", "e", abbreviations=ITALIAN),
    "nl": NumberWords("min", "komma", "procent", "en"),
    "pl": NumberWords("minus", "przecinek", "procent", "i", group=SPACED),
    "pt": NumberWords("menos", "vírgula", "por cento", "e", abbreviations=PORTUGUESE),
    "ru": NumberWords("минус", "запятая", "процентов", "и", group=SPACED),
    "uk": NumberWords("мінус", "кома", "відсотків", "і", group=SPACED),
    "tr": NumberWords("eksi", "virgül", "yüzde", "ve"),
    "sv": NumberWords("minus", "komma", "procent", "och", group=SPACED),
}


def day_pattern(months: tuple[str, ...]) -> str:
    """Return a pattern of the days of dates, as in ``3. Mai`` and ``3. bis 5. Mai``.

    Args:
        months: Names after which a number with a period is an ordinal.
    """
    month = rf"\s+(?:{'|'.join(months)})\b"
    other = r"(?:\s*[-–,/]\s*|\s+(?:und|oder|bis|auf)\s+(?:(?:zum|den)\s+)?)\d{1,2}\."
    return rf"(?P<n>\d{{1,2}})\.(?=(?:{other})?{month})"


def require_language(tag: str) -> str:
    """Return the code of a language tag: ``en`` of ``en-us``.

    Raises:
        ConfigError: The tag is not one.
    """
    code = tag.lower().partition("-")[0].partition("_")[0]
    if not (code.isascii() and code.isalpha() and 2 <= len(code) <= 3):
        raise ConfigError(
            f"language {tag!r}: expected a code of ISO 639, such as en or de"
        )
    return code
