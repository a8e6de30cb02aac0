"""Compare the harness on each Python release, with the same functions and packages."""

from bench.figures import Figure
from bench.harness import rounds
from bench.harness.environments import python_of_suite
from bench.harness.functions import FOLDERS, ours
from bench.harness.servers import IRIS, ROOT
from local import versions

WANTED = 0.9
"""Least ratio to the requests per second on the default Python."""
ROUNDS = 15
_OLDER, _NEWER = versions.PYTHON_IMAGES
_REQUIREMENTS = (ROOT / "harness/python/requirements.txt", IRIS / "requirements.txt")


def run(scale: float) -> list[Figure]:
    """Measure each function, alternating."""
    figures = []
    for function, folder in FOLDERS.items():
        older, newer = (
            ours(function, name=suite, python=python_of_suite(suite, _REQUIREMENTS, folder))
            for suite in (_OLDER, _NEWER)
        )
        with older, newer:
            loads = rounds.measure([newer, older], function, max(2, round(ROUNDS * scale)))
        name = f"harness-{function}-{_NEWER}"
        figures.append(rounds.figure(name, loads, newer.name, older.name, WANTED))
    return figures
