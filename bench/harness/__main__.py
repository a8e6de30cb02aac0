"""`python -m bench.harness [NAME ...] [--scale 0.1]`. Exits with 1 if a limit is missed."""

import sys
from collections.abc import Callable

from bench import command
from bench.figures import Figure
from bench.harness import (
    against_bare,
    fuzz,
    killed,
    memory,
    peers,
    plumber,
    pythons,
    start,
    steady,
)
from bench.harness.wrk import check_wrk

BENCHES: dict[str, Callable[[float], list[Figure]]] = {
    "python": against_bare.run,
    "pythons": pythons.run,
    "peers": peers.run,
    "r": plumber.run,
    "steady": steady.run,
    "start": start.run,
    "memory": memory.run,
    "killed": killed.run,
    "fuzz": fuzz.run,
}


def main() -> int:
    """Run the benches that the command line names, or all."""
    parser = command.parser("bench.harness", __doc__, BENCHES)
    arguments = parser.parse_args()
    names = command.chosen(parser, arguments.names, BENCHES)
    check_wrk()
    holds = [command.report(BENCHES[name](arguments.scale)) for name in names]
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main())
