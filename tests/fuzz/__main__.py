"""Run cases of the fuzzer and count how they end.

python -m tests.fuzz --count 2000            the first 2,000, and a table
python -m tests.fuzz --seed 0 --case 12      one, with its output
"""

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .cases import Case, counts, run_case
from .world import build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--count", type=int, default=320)
    parser.add_argument("--case", type=int, help="run this one alone")
    args = parser.parse_args()
    numbers = range(args.first, args.first + args.count)
    cases = list(run(args.seed, numbers if args.case is None else [args.case]))
    if args.case is None:
        print(counts(cases), *causes(cases), sep="\n")


def run(seed: int, numbers: Iterable[int]) -> Iterator[Case]:
    """Yield the cases of these numbers; print those that failed on stderr."""
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        world.mkdir()
        build(world)
        for number in numbers:
            case = run_case(world, Path(folder) / "case", seed, number)
            if not case.is_good or not isinstance(numbers, range):
                print(case, file=sys.stderr, flush=True)
            yield case


def causes(cases: Iterable[Case]) -> Iterator[str]:
    """Yield how often what should not be came from where, the most frequent first."""
    found = Counter(_cause(case) for case in cases if not case.is_good)
    for cause, times in found.most_common():
        yield f"{times:5} {cause}"


def _cause(case: Case) -> str:
    """The last lines of the package in a traceback, and its error; or how it ended."""
    lines = case.detail.strip().splitlines()
    if case.ended != "traceback":
        return f"{case.command}: {case.ended}"
    places = re.findall(r'/espnet_distill/(\S+)", line (\d+)', case.detail)
    found = [":".join(place) for place in places[:-4:-1]]
    return f"{' < '.join(found)}: {lines[-1][:150]}"


if __name__ == "__main__":
    main()
