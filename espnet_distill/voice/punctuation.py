"""Punctuation of text in one form: `, . ; : ? !` after words, nothing else.

ESPnet's espeak front end makes a token of every mark, quotes and brackets included;
Piper's omits these and ends a clause at a dash with a semicolon. After
:func:`simplify_punctuation` both make the same tokens.
"""

import re
import unicodedata

MARKS = ".,;:?!"
OPENING = "\"'“‘„«([{¿¡"
APOSTROPHES = dict.fromkeys("’‘ʼ′`´＇", "'")
OMITTED = dict.fromkeys(
    '"“”„‟«»‹›＂()[]{}<>（）［］｛｝「」『』《》〈〉【】¿¡*_~|\\^', " "
)
OTHER_SCRIPTS = {
    **dict.fromkeys("。．｡।॥۔։።", ". "),
    **dict.fromkeys("、，､،፣", ", "),
    **dict.fromkeys("；؛፤", "; "),
    **dict.fromkeys("：፥", ": "),
    **dict.fromkeys("？؟፧", "? "),
    **dict.fromkeys("！", "! "),
}
TRANSLATION = str.maketrans(APOSTROPHES | OMITTED | OTHER_SCRIPTS)
QUOTED = re.compile(r"(?<!\w)'([^']*(?:(?<=\w)'\w[^']*)*)'(?!\w)")
END_OF_QUOTE = re.compile(r"(?<=[.,;:?!…])'+(?!\w)")  # that began sentences before
DASH = re.compile(r"\s*(?:[—―⸺]|--+)\s*|\s+[-–−]\s+")
ELLIPSIS = re.compile(r"\s*(?:…|\.\s?\.\s?\.[.\s]*)(?P<rest>\s*\w)?")
LETTER_OR_SIGN = (
    r"[^\s\d\x00-@\[-`{-\x7f]"  # a vowel sign of Hindi, too, which is no \w
)
UNSPACED = re.compile(rf"(?<={LETTER_OR_SIGN})([,;:?!])(?=[^\W\d_])")
SPACE_BEFORE = re.compile(r"\s+(?=[.,;:?!](?:\W|$))")
REPEATED = re.compile(r"[.,;:?!](?:\s*[.,;:?!])+(?!\d)")
LEADING = re.compile(r"^[\s.,;:?!]+(?!\d)")
STRONGEST = "?!.:;,"


def simplify_punctuation(text: str) -> str:
    """Return a text whose only punctuation is one mark of ``.,;:?!`` after a word.

    Quotes and brackets are removed, a dash becomes a semicolon, an ellipsis a comma
    or, at the end, a period. Of several marks the strongest stays. Apostrophes and
    hyphens inside words stay. Greek's question mark, which is NFC's semicolon, is one.
    The result is NFC, on one line, and a fixed point.
    """
    text = unicodedata.normalize("NFC", text).translate(TRANSLATION)
    text = QUOTED.sub(r" \1 ", text)
    text = END_OF_QUOTE.sub(" ", text)
    text = DASH.sub("; ", text)
    text = ELLIPSIS.sub(_comma_or_period, text)
    text = SPACE_BEFORE.sub("", " ".join(text.split()))
    text = REPEATED.sub(_strongest, text)
    text = UNSPACED.sub(r"\1 ", text)
    return LEADING.sub("", text).strip()


def _comma_or_period(match: re.Match) -> str:
    return f", {match['rest'].strip()}" if match["rest"] else ". "


def _strongest(match: re.Match) -> str:
    return min(set(match[0]) & set(MARKS), key=STRONGEST.index)
