"""Ids of phonemes as Piper's clients send them: `^ _ p _ … $`, a code point an id.

An id is the model's token id. Padding, start and end have id 0, which the graph drops;
it appends the end of the sentence itself.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from espnet_distill.data.front_end import GRAPHEMES, FrontEnd
from espnet_distill.errors import ConfigError
from espnet_distill.voice.phonemes import SPACE

PAD, START, END = "_", "^", "$"
FRAME = (PAD, START, END)
# Symbols that espeak-ng of clients produces → what stands for them if a model lacks them
SUBSTITUTES = {";": ",", ":": ",", "!": ".", "?": ".", "ʲ": PAD}

MOST_NAMED = 5  # letters of a warning


@dataclass(frozen=True)
class PhonemeIds:
    """What a client needs to turn text into ids.

    Attributes:
        ids: Symbol → id; code points, unless `kind` is ids.
        kind: espeak (code points of espeak-ng's IPA), text (letters), or ids, for which
            no client has a front end.
        voice: espeak-ng's language tag; None for other kinds.
        dropped: Ids that stand for no token.
        warnings: What does not work, a sentence each.
    """

    ids: dict[str, int]
    kind: str
    voice: str | None
    dropped: tuple[int, ...]
    warnings: tuple[str, ...] = ()

    @property
    def tokens(self) -> list[int]:
        """The ids that stand for tokens."""
        return sorted({*self.ids.values()} - {*self.dropped})


def padded(tokens: Iterable[int]) -> list[int]:
    """Return token ids as clients send them, with start, padding and end."""
    return [0, *(id for token in tokens for id in (0, token)), 0, 0]


def phoneme_ids(
    tokens: Sequence[str], front_end: FrontEnd, voice: str | None, where: str
) -> PhonemeIds:
    """Return the ids of a model's token list.

    Args:
        tokens: The token list.
        front_end: The model's.
        voice: espeak-ng's language tag of the phonemes, if it was given.
        where: A prefix of messages.

    Raises:
        ConfigError: Token 0, which pads, is a phoneme; or espeak-ng's phonemes are
            joined in tokens of several code points.
    """
    if tokens[0] != PAD and not _is_special(tokens[0]):
        raise ConfigError(
            f"{where}: token_list: token 0 is {tokens[0]!r}, and id 0 pads; train with a "
            "list that begins with <blank>"
        )
    voice = voice or front_end.phonemizing().voice
    kind, warnings = _kind(tokens, front_end, voice, where)
    named = {token: index for index, token in enumerate(tokens)}
    ids = {
        " " if token == SPACE else token: index
        for token, index in named.items()
        if token not in FRAME and not _is_special(token)
    }
    ids = dict.fromkeys(FRAME, 0) | ids
    for symbol, other in SUBSTITUTES.items():
        if kind == "espeak" and other in ids:
            ids.setdefault(symbol, ids[other])
    kept = {*ids.values()} - {0}
    return PhonemeIds(
        ids,
        kind,
        voice if kind == "espeak" else None,
        tuple(index for index in range(len(tokens)) if index not in kept),
        warnings,
    )


def _kind(tokens, front_end, voice, where) -> tuple[str, tuple[str, ...]]:
    long = [token for token in tokens if len(token) > 1 and not _is_special(token)]
    long = [token for token in long if token != SPACE]
    if str(front_end.g2p).startswith("espeak_ng") and long:
        raise ConfigError(
            f"{where}: g2p: {front_end.g2p} joins several code points in a token "
            f"({', '.join(map(repr, long[:3]))}), which no client does; train on "
            "phonemes of prepare-text --voice, with --g2p none (docs/languages.md)"
        )
    if not long and front_end.token_type == "char":
        return "text", _decomposed(tokens)
    if not long and front_end.token_type == "phn" and voice:
        return "espeak", ()
    return "ids", (_ids_only(front_end, long),)


def _decomposed(tokens: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence that names letters which Piper takes apart; none without any."""
    found = [token for token in tokens if not _is_special(token) and token != SPACE]
    found = [token for token in found if unicodedata.normalize("NFD", token) != token]
    if not found:
        return ()
    shown = ", ".join(found[:MOST_NAMED]) + ", …" * (len(found) > MOST_NAMED)
    return (f"Piper takes composed letters apart, and loses {shown}",)


def _ids_only(front_end: FrontEnd, long: list[str]) -> str:
    name = front_end.g2p or front_end.token_type or "token ids"
    if front_end.token_type == "phn" and not front_end.g2p and not long:
        return (
            "the language of the phonemes is unknown, so that clients need ids; "
            "give --data DIR or --espeak-voice"
        )
    kind = "token type" if front_end.token_type in GRAPHEMES else "g2p"
    return f"no client has the {kind} {name}: this voice takes ids only"


def _is_special(token: str) -> bool:
    return token.startswith("<") and token.endswith(">") and token != SPACE
