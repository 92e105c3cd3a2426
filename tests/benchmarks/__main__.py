"""``python -m tests.benchmarks [MEASURE …]``: every figure of the README as a ratio to bare httpx, with its goal beside
it.

Linux, about three minutes, best on a machine that does nothing else: a round during which strangers used more than 0.12
cores is repeated, and what they used is shown. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from tests.benchmarks.figures import table
from tests.benchmarks.measures import MEASURES, TINY, Sizes, measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="rooroute beside bare httpx")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"which (default: all): {', '.join(MEASURES)}")
    parser.add_argument("--rounds", type=int, default=Sizes().rounds, help="rounds per measure (default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="only see that it runs; the figures mean nothing")
    parser.add_argument("--json", action="store_true", help="print JSON in place of Markdown")
    options = parser.parse_args()
    if unknown := set(options.measures) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    sizes = TINY if options.tiny else replace(Sizes(), rounds=options.rounds)
    figures = []
    for figure in measure(options.measures or list(MEASURES), sizes):
        figures.append(figure)
        sys.stderr.write(f"{figure.name}: {figure.value:.2f} (at most {figure.goal:g})\n")
    if options.json:
        rows = [{"name": f.name, "value": f.value, "goal": f.goal, "reached": f.reached} for f in figures]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        sys.stdout.write(table(figures) + "\n")
    return 0 if options.tiny or all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
