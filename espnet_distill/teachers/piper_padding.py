"""The padding that Piper's clients put around the tokens of a sentence."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from espnet_distill.errors import ConfigError
from espnet_distill.voice.config import BEGIN, END, PADDING


class PiperPadding(NamedTuple):
    """Ids of a sentence with padding, and attention without it.

    N tokens p become the 2 N + 3 tokens `^ _ p _ p _ … p _ $`.

    Attributes:
        begin, padding, end: The ids of `^`, `_` and `$`.
    """

    begin: int
    padding: int
    end: int

    @classmethod
    def of_tokens(cls, token_list: Sequence[str], whose: str) -> "PiperPadding":
        """Return the padding of a token list.

        Raises:
            ConfigError: The list lacks one of the three tokens.
        """
        for token in (BEGIN, PADDING, END):
            if token not in token_list:
                raise ConfigError(
                    f"{whose}: token_list: has no {token!r}, which Piper's clients send; "
                    "import the voice again"
                )
        return cls(*(token_list.index(token) for token in (BEGIN, PADDING, END)))

    def pad(self, ids: Sequence[int]) -> list[int]:
        """Return the 2 N + 3 ids that Piper's clients send for N token ids."""
        padded = [one for id in ids for one in (int(id), self.padding)]
        return [self.begin, self.padding, *padded, self.end]

    def sum_attention(self, attention: torch.Tensor) -> torch.Tensor:
        """Return the attention (T, N + 1) to N tokens and to the end of the sentence.

        A token gets the frames of its own and of the padding after it; the first one
        also those of the begin and of the padding before it.

        Args:
            attention: That to the padded tokens (T, 2 N + 3), with N above 0.
        """
        tokens = attention[:, 2:-1].unflatten(1, (-1, 2)).sum(2)
        tokens[:, 0] += attention[:, :2].sum(1)
        return torch.cat([tokens, attention[:, -1:]], dim=1)
