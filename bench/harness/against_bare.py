"""Compare the harness with its server, Granian by RSGI, running the same functions bare.

Granian by WSGI is measured for reference: with one thread it is the fastest server for Python
functions, but one slow body or call stops all others.
"""

from bench.figures import Figure
from bench.harness import rounds
from bench.harness.functions import bare, ours

WANTED = {"noop": 0.7, "iris": 0.9}
"""Least ratio to the bare RSGI server's requests per second."""
ROUNDS = 15


def run(scale: float) -> list[Figure]:
    """Measure each function, alternating with both bare servers."""
    figures = []
    for function, limit in WANTED.items():
        with ours(function) as mine, bare(function) as wsgi, bare(function, "rsgi") as rsgi:
            loads = rounds.measure([mine, wsgi, rsgi], function, max(2, round(ROUNDS * scale)))
        name = f"harness-{function}"
        figures += [
            rounds.figure(name, loads, mine.name, rsgi.name, limit),
            rounds.figure(f"{name}-wsgi", loads, mine.name, wsgi.name, 0),
        ]
    return figures
