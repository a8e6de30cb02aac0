"""Ours against the server that it stands on, with the same functions and without a harness."""

from bench.figures import Figure
from bench.harness import rounds
from bench.harness.functions import bare, ours

WANTED = {"noop": 0.7, "iris": 0.9}
"""Of the bare WSGI server's requests per second. RSGI is measured to know which is faster."""
ROUNDS = 15


def run(scale: float) -> list[Figure]:
    """Per function: in turns with both bare servers."""
    figures = []
    for function, wanted in WANTED.items():
        with ours(function) as mine, bare(function) as wsgi, bare(function, "rsgi") as rsgi:
            loads = rounds.measure([mine, wsgi, rsgi], function, max(2, round(ROUNDS * scale)))
        name = f"harness-{function}"
        figures += [
            rounds.figure(name, loads, mine.name, wsgi.name, wanted),
            rounds.figure(f"{name}-rsgi", loads, mine.name, rsgi.name, 0),
        ]
    return figures
