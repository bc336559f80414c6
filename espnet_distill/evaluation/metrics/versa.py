"""What VERSA has found, in stage 9 of ESPnet's ``tts.sh``.

It leaves ``result.<job>.txt`` in ``scoring/versa_eval`` beside the decoded ``wav``: a
Python dictionary a line, of one utterance each.
"""

import ast
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import mean

from espnet_distill.errors import ConfigError
from espnet_distill.utils.files import read_text

FOLDER = Path("scoring", "versa_eval")


NAMES = {"nan": math.nan, "inf": math.inf, "NaN": math.nan, "Infinity": math.inf}


EDITS = ("delete", "insert", "replace", "equal")


def read_results(wavs: Path, utterances: Iterable[str]) -> dict[str, float]:
    """Return the means over the utterances, by VERSA's names; {} without results.

    Of what a recogniser heard there are ``<model>_wer`` and ``<model>_cer`` in percent,
    of all utterances together. Results that lack an utterance are left out, which is
    said on stderr.

    Args:
        wavs: The folder of decoded speech.
        utterances: Those that are evaluated.

    Raises:
        ConfigError: A line that is no dictionary with a key.
    """
    found = {}
    for path in sorted((wavs.parent / FOLDER).glob("result.*.txt")):
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            result = _parsed(line, f"{path}: line {number}")
            found[str(result.pop("key"))] = result
    if not found:
        return {}
    missing = [utt for utt in utterances if utt not in found]
    if missing:
        print(
            f"left out: VERSA's results in {wavs.parent / FOLDER} lack "
            f"{len(missing)} utterances, the first {missing[0]}",
            file=sys.stderr,
        )
        return {}
    return _means([found[utt] for utt in utterances])


def _means(results: list[dict]) -> dict[str, float]:
    columns = {
        name: [result[name] for result in results]
        for name in results[0]
        if all(_is_number(result.get(name)) for result in results)
    }
    counted = [
        name.removesuffix("_equal")
        for name in columns
        if name.endswith(("_wer_equal", "_cer_equal"))
    ]
    rates = {name: _rate(columns, name) for name in counted}
    plain = {
        name: mean(filter(math.isfinite, values))
        for name, values in columns.items()
        if not name.endswith(tuple(f"_{edit}" for edit in EDITS))
        and any(map(math.isfinite, values))
    }
    return plain | rates


def _rate(columns: dict[str, list[float]], name: str) -> float:
    """Errors of all utterances together, of a hundred words or characters."""
    delete, insert, replace, equal = (sum(columns[f"{name}_{edit}"]) for edit in EDITS)
    return 100 * (delete + insert + replace) / max(1, delete + replace + equal)


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parsed(line: str, where: str) -> dict:
    """The dictionary that a line writes down: no code in it is run."""
    try:
        tree = _Plain().visit(ast.parse(line.strip(), mode="eval"))
        result = ast.literal_eval(tree)
        if isinstance(result, dict) and "key" in result:
            return result
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        pass
    raise ConfigError(f"{where}: no result of VERSA; let stage 9 of tts.sh run again")


class _Plain(ast.NodeTransformer):
    """Makes literals of what NumPy and floats write that are none."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(NAMES[node.id]) if node.id in NAMES else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Take `np.float32(1.5)` for 1.5."""
        return self.visit(node.args[0]) if len(node.args) == 1 else node
