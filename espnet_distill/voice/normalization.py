"""Text normalization: numbers and abbreviations in words, with the case kept.

num2words names numbers, years, ordinals and amounts; the tables of
:data:`~.languages.NUMBER_WORDS` name the rest.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from .languages import NUMBER_WORDS, NumberWords, day_pattern, require_language
from .punctuation import OPENING, simplify_punctuation

CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP"}
SCALES = "thousand|million|billion|trillion"  # English: $1.5 million
INITIALS = re.compile(r"\b(?:[^\W\d_]\.){2,}")
UNCHANGED = ("ja", "zh")
YEARS = range(1100, 2100)
MOST_DIGITS = 15  # longer numbers are left to the g2p
UNSPELLED = (  # what num2words raises where a language lacks a form
    *(NotImplementedError, TypeError, ValueError, ArithmeticError, LookupError),
)


def normalize(text: str, language: str) -> str:
    """Return a text with numbers and abbreviations in words and simple punctuation.

    Args:
        text: A text.
        language: Its language, such as ``en``, ``en-us`` or ``de``. Numbers and
            abbreviations of languages without an entry in NUMBER_WORDS stay, for the
            g2p.

    Returns:
        The text in the form of :func:`simplify_punctuation`; a fixed point. Japanese and
        Mandarin are unchanged: their g2ps read the marks of their scripts.

    Raises:
        ConfigError: The language is not a tag.
    """
    code = require_language(language)
    if code in UNCHANGED:
        return text
    if code in NUMBER_WORDS:
        text = _Normalizer(code, NUMBER_WORDS[code])(text)
    return simplify_punctuation(text)


class _Normalizer:
    """Rewrites numbers, amounts and abbreviations of one language."""

    def __init__(self, language: str, words: NumberWords):
        self.language, self.words = language, words
        group, decimal = re.escape(words.group), re.escape(words.decimal)
        whole = rf"(?:\d{{1,3}}(?:[{group}]\d{{3}})+|\d+)"
        number = rf"{whole}(?:{decimal}\d+|\.\d{{1,2}}(?![\d{group}]))?"
        symbol = f"[{''.join(CURRENCIES)}]"
        country = r"(?<![^\W\d_])(?:(?P<country>[A-QS-Z]{1,2})(?=\$))?"  # not R$, reais
        before, after = r"(?<![\w.,:/])", r"(?![\w/]|[.,:]\d)"
        sign = rf"(?P<sign>(?<![^\s{OPENING}])[-−–])?"
        scale = rf"(?:\s+(?P<scale>{SCALES}))?" if language == "en" else ""
        self.rules: list[tuple[str, Callable[[re.Match], str]]] = []
        if language == "en":
            self.rules += [
                (rf"{before}(\d+)(?:st|nd|rd|th)\b", self._ordinal),
                (rf"{before}(\d{{3}}0)s\b", self._decade),
                (rf"{before}['’]?([2-9]0)s\b", self._decade),
            ]
        if words.months:
            self.rules.append((before + day_pattern(words.months), self._day))
        self.rules += [
            (rf"{before}(\d{{1,2}}):(\d{{2}}){after}", self._time),
            (
                rf"{sign}{country}(?P<symbol>{symbol})\s?(?P<n>{number}){scale}{after}",
                self._amount,
            ),
            (
                rf"{before}{sign}(?P<n>{number})\s?(?P<symbol>{symbol}){after}",
                self._amount,
            ),
            (rf"{before}{sign}(?P<n>{number})\s?%", self._percent),
            (rf"{before}{sign}(?P<n>{number}){after}", self._number),
            (r"(?<=\s)&(?=\s)", lambda _: words.ampersand),
        ]

    def __call__(self, text: str) -> str:
        for short, full in self.words.abbreviations.items():
            text = _expand(text, short, full)
        for short, full in self.words.numbered.items():
            text = re.sub(rf"(?<![\w.]){re.escape(short)}\s?(?=\d)", f"{full} ", text)
        text = INITIALS.sub(self._initials, text)
        for pattern, write in self.rules:
            text = re.sub(pattern, write, text)
        return text

    def _initials(self, match: re.Match) -> str:
        """U.S.A. → USA; a period stays where the text ends."""
        end = "." if not match.string[match.end() :].strip(" \"'”’)") else ""
        return match[0].replace(".", "").upper() + end

    def _spell(self, value, to: str = "cardinal", **options) -> str | None:
        """Return a number in words; None if it is long, or num2words has none."""
        from num2words import num2words

        if len(str(value)) > MOST_DIGITS:
            return None
        try:
            words = num2words(value, lang=self.language, to=to, **options)
        except UNSPELLED:
            return None
        return " ".join(words.replace(",", "").split())

    def _ordinal(self, match: re.Match) -> str:
        if len(match[1]) > MOST_DIGITS:
            return match[0]
        return self._spell(int(match[1]), "ordinal") or match[0]

    def _day(self, match: re.Match) -> str:
        """German: am 3. Mai → am dritten Mai; der 3. Mai → der dritte Mai."""
        words = self._spell(int(match["n"]), "ordinal") or match["n"]
        before = match.string[: match.start()].split()
        while before and (before[-1] in ("und", "oder") or before[-1][0].isdigit()):
            before.pop()  # der 3. und 4. Mai → der dritte und vierte Mai
        ends_in_n = not before or before[-1].lower() not in ("der", "dieser", "jeder")
        return words + "n" * ends_in_n

    def _decade(self, match: re.Match) -> str:
        year = self._spell(int(match[1]), "year") or match[0]
        return f"{year[:-1]}ies" if year.endswith("y") else f"{year}s"

    def _time(self, match: re.Match) -> str:
        hour, minute = self._spell(int(match[1])), self._spell(int(match[2]))
        if int(match[1]) > 24 or int(match[2]) > 59 or not hour or not minute:
            return match[0]
        if self.language == "en" and 0 < int(match[2]) < 10:
            return f"{hour} oh {minute}"
        return hour if match[2] == "00" else f"{hour} {minute}"

    def _amount(self, match: re.Match) -> str:
        value, code = self._value(match["n"]), CURRENCIES[match["symbol"]]
        scale = match.groupdict().get("scale")
        words = self._spell(float(value), "currency", currency=code, separator=" |")
        if not words or "|" not in words:
            return match[0]
        units, cents = (part.strip() for part in words.split("|"))
        exact = -value.as_tuple().exponent <= 2
        if scale or not exact:
            many = self._spell(float(10), "currency", currency=code, separator=" |")
            name = many.partition("|")[0].strip().partition(" ")[2]
            words = " ".join(filter(None, (self._words(match["n"]), scale, name)))
        else:
            is_whole = value == value.to_integral_value()
            words = units if is_whole else f"{units} {cents}"
        country = match.groupdict().get("country")
        return self._signed(match, f"{country} {words}" if country else words)

    def _percent(self, match: re.Match) -> str:
        number = self._words(match["n"])
        if self.language == "tr":
            return self._signed(match, f"{self.words.percent} {number}")
        return self._signed(match, f"{number} {self.words.percent}")

    def _signed(self, match: re.Match, words: str) -> str:
        """Return the words of a number after that of its minus sign, if it has one."""
        return f"{self.words.minus} {words}" if match["sign"] else words

    def _number(self, match: re.Match) -> str:
        if match["sign"]:
            if not self._value(match["n"]):
                return match[0]
            return self._signed(match, self._words(match["n"]))
        is_whole = len(match["n"]) == 4 and match["n"].isdigit()
        if is_whole and int(match["n"]) in YEARS:
            return self._spell(int(match["n"]), "year") or self._words(match["n"])
        return self._words(match["n"])

    def _value(self, number: str) -> Decimal:
        whole, fraction = self._parts(number)
        return Decimal(f"{whole}.{fraction}" if fraction else whole)

    def _parts(self, number: str) -> tuple[str, str]:
        """Return the digits before and after the decimal mark."""
        mark = self.words.decimal
        if mark not in number and re.search(r"\.\d{1,2}$", number):
            mark = "."
        whole, fraction = number, ""
        if mark in number:
            whole, _, fraction = number.rpartition(mark)
        return "".join(filter(str.isdigit, whole)), fraction

    def _words(self, number: str) -> str:
        whole, fraction = self._parts(number)
        digits = [self._spell(int(digit)) for digit in fraction]
        if whole.startswith("0") and len(whole) > 1:  # 007, a telephone number
            words = " ".join(self._spell(int(digit)) or digit for digit in whole)
        else:
            words = self._spell(int(whole)) if len(whole) <= MOST_DIGITS else None
        if not words or not all(digits):
            return number
        return " ".join((words, self.words.point, *digits)) if digits else words


def _expand(text: str, short: str, full: str) -> str:
    """Expand an abbreviation; at the end of a text its period stays.

    One of a letter, as in ``M. Dupont``, is an initial after another one.
    """
    initial = r"(?<![^\W\d_]\.\s)" if len(short) == 2 else ""
    pattern = rf"(?<![\w.]){initial}{re.escape(short)}(?P<end>[\s\"'”’)]*$)?"
    return re.sub(
        pattern, lambda match: full + ("." if match["end"] is not None else ""), text
    )
