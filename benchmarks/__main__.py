"""Measures the figures named, or all; with --write, into docs/benchmarks.md."""

import argparse
import importlib
import os
from collections.abc import Sequence

from benchmarks.figures import FIGURES
from benchmarks.report import line, machine, save
from benchmarks.rows import Row

MIN_ROUNDS = 2
"""The fewest that have quartiles, and noise between two of them."""


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--rounds", type=int, default=9, help="of each figure; 9 if not given")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    args = parser.parse_args()
    if unknown := sorted(set(args.figures) - set(FIGURES)):
        parser.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    if args.rounds < MIN_ROUNDS:
        parser.error(f"--rounds: {MIN_ROUNDS} or more")
    # The floors are to meet the same environment as the subjects: no settings of a person.
    os.environ["GEEKAI_SETTINGS_FILE"] = os.devnull
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}")
    for name in args.figures or FIGURES:
        module = importlib.import_module(f"benchmarks.figures.{name}")
        rows: Sequence[Row] = module.measure(args.rounds)
        for row in rows:
            print(line(row), flush=True)
        if args.write:  # each at once: a run of all takes long, and may be ended
            save({name: rows})


if __name__ == "__main__":
    main()
