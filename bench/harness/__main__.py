"""`python -m bench.harness [NAME ...] [--scale 0.1]`. Exits 1 where a figure does not hold."""

import argparse
import sys
from collections.abc import Callable

from bench.figures import Figure
from bench.harness import against_bare, fuzz, memory, peers, plumber, start, steady
from bench.harness.wrk import check_wrk

BENCHES: dict[str, Callable[[float], list[Figure]]] = {
    "python": against_bare.run,
    "peers": peers.run,
    "r": plumber.run,
    "steady": steady.run,
    "start": start.run,
    "memory": memory.run,
    "fuzz": fuzz.run,
}


def main() -> int:
    """Run the benches that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench.harness", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the work")
    given = parser.parse_args()
    unknown = set(given.names) - BENCHES.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    check_wrk()
    holds = True
    for name in given.names or BENCHES:
        for figure in BENCHES[name](given.scale):
            figure.print()
            holds = holds and figure.holds
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
