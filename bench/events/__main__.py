"""`python -m bench.events [NAME ...]`: benchmarks of events. Exits with 1 if a limit is missed."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from bench import command
from bench.events.apiserver import apiserver
from bench.events.kills import kills
from bench.events.large_cluster import scale
from bench.events.latency import latency
from bench.events.outage import outage
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
    return all([command.report(await BENCHES[name](scale)) for name in names])


def main() -> int:
    """Run the benches that the command line names, or all."""
    parser = command.parser("bench.events", __doc__, BENCHES)
    arguments = parser.parse_args()
    names = command.chosen(parser, arguments.names, BENCHES)
    command.need_cluster(parser)
    return 0 if asyncio.run(_run(names, arguments.scale)) else 1


if __name__ == "__main__":
    sys.exit(main())
