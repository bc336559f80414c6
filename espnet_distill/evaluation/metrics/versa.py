"""Read VERSA's results, from stage 9 of ESPnet's ``tts.sh``.

VERSA writes ``result.<job>.txt`` into ``scoring/versa_eval`` beside the decoded
``wav``, one Python dictionary per line and utterance.
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

    The error rates ``<model>_wer`` and ``<model>_cer`` are corpus-level, in percent.
    Incomplete results are ignored, with a message on stderr.

    Args:
        wavs: The folder of decoded speech.
        utterances: The evaluated utterances.

    Raises:
        ConfigError: A line is not a dictionary with the entry ``key``.
    """
    results = {}
    for path in sorted((wavs.parent / FOLDER).glob("result.*.txt")):
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            result = _parse(line, f"{path}: line {number}")
            results[str(result.pop("key"))] = result
    if not results:
        return {}
    missing = [utt for utt in utterances if utt not in results]
    if missing:
        print(
            f"skipped: VERSA's results in {wavs.parent / FOLDER} lack "
            f"{len(missing)} utterances, the first {missing[0]}",
            file=sys.stderr,
        )
        return {}
    return _means([results[utt] for utt in utterances])


def _means(results: list[dict]) -> dict[str, float]:
    columns = {
        name: [result[name] for result in results]
        for name in results[0]
        if all(_is_number(result.get(name)) for result in results)
    }
    rate_names = [
        name.removesuffix("_equal")
        for name in columns
        if name.endswith(("_wer_equal", "_cer_equal"))
    ]
    rates = {name: _rate(columns, name) for name in rate_names}
    means = {
        name: mean(filter(math.isfinite, values))
        for name, values in columns.items()
        if not name.endswith(tuple(f"_{edit}" for edit in EDITS))
        and any(map(math.isfinite, values))
    }
    return means | rates


def _rate(columns: dict[str, list[float]], name: str) -> float:
    """Return the corpus-level error rate in percent."""
    delete, insert, replace, equal = (sum(columns[f"{name}_{edit}"]) for edit in EDITS)
    return 100 * (delete + insert + replace) / max(1, delete + replace + equal)


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parse(line: str, where: str) -> dict:
    """Parse a line as a dictionary literal, without evaluating code."""
    try:
        tree = _LiteralTransformer().visit(ast.parse(line.strip(), mode="eval"))
        result = ast.literal_eval(tree)
        if isinstance(result, dict) and "key" in result:
            return result
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        pass
    raise ConfigError(f"{where}: no result of VERSA; run stage 9 of tts.sh again")


class _LiteralTransformer(ast.NodeTransformer):
    """Replace NaN, infinity and NumPy scalars by literals."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(NAMES[node.id]) if node.id in NAMES else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace `np.float32(1.5)` by 1.5."""
        return self.visit(node.args[0]) if len(node.args) == 1 else node
