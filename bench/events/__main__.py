"""`python -m bench.events [NAME ...]`: the figures of events. Exits 1 where one does not hold."""

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable

from bench.events.apiserver import apiserver
from bench.events.kills import kills
from bench.events.latency import latency
from bench.events.outage import outage
from bench.events.scale import scale
from bench.figures import Figure

Bench = Callable[[float], Awaitable[Figure | list[Figure]]]
BENCHES: dict[str, Bench] = {
    "latency": latency,
    "scale": scale,
    "kills": kills,
    "apiserver": apiserver,
    "outage": outage,
}


async def _run(names: list[str], scale: float) -> bool:
    holds = True
    for name in names:
        found = await BENCHES[name](scale)
        for figure in found if isinstance(found, list) else [found]:
            figure.print()
            holds = holds and figure.holds
    return holds


def main() -> int:
    """Run the benches that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench.events", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--scale", type=float, default=1.0, help="0.05: a twentieth of it")
    given = parser.parse_args()
    unknown = set(given.names) - BENCHES.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    if not shutil.which("kubectl") or "KUBECONFIG" not in os.environ:
        parser.error('kubectl or its KUBECONFIG is missing: eval "$(make -s env)"')
    return 0 if asyncio.run(_run(given.names or list(BENCHES), given.scale)) else 1


if __name__ == "__main__":
    sys.exit(main())
