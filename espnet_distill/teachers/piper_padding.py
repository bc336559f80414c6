"""The padding that Piper's clients put around the tokens of a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from espnet_distill.errors import ConfigError
from espnet_distill.experiments.experiment import Experiment
from espnet_distill.utils.files import read_yaml
from espnet_distill.voice.config import BEGIN, END, PADDING

RECORD = "distill.yaml"  # with the key `piper` in an imported experiment


@dataclass(frozen=True)
class PiperPadding:
    """Ids of a sentence with padding, and durations without it.

    N tokens p become the 2 N + 3 tokens `^ _ p _ p _ … p _ $`.

    Attributes:
        begin, padding, end: The ids of `^`, `_` and `$`.
    """

    begin: int
    padding: int
    end: int

    @classmethod
    def of(cls, experiment: Experiment) -> "PiperPadding | None":
        """Return the padding of an imported Piper voice; None of other experiments."""
        record = experiment.config_file.with_name(RECORD)
        content = read_yaml(record) if record.is_file() else None
        if not isinstance(content, dict) or "piper" not in content:
            return None
        return cls.of_tokens(experiment.config["token_list"], str(experiment))

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

    def sum_durations(self, durations: torch.Tensor) -> torch.Tensor:
        """Return the frames (N + 1,) of N tokens and of the end of the sentence.

        A token's frames are its own and those of the padding after it; the first one
        also has those of the begin and the padding before it.

        Args:
            durations: Frames of the padded tokens (2 N + 3,).

        Raises:
            ValueError: There are not 2 N + 3 of them, with N above 0.
        """
        if len(durations) < 5 or len(durations) % 2 == 0:
            raise ValueError(f"{len(durations)} durations are not those of 2 N + 3 ids")
        summed = durations[2:-1].view(-1, 2).sum(1)
        summed[0] += durations[:2].sum()
        return torch.cat([summed, durations[-1:]])
