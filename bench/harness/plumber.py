"""Compare the harness for R with plumber, with the same functions and requests."""

import json
from contextlib import ExitStack

from bench.figures import Figure
from bench.harness import environments, rounds
from bench.harness.servers import SERVED, Call, Server, harness

ROUNDS = 10
WANTED = {"noop": (14.0, 14.0), "formula": (14.0, 14.0), "predict": (4.0, 6.0)}
"""Ratios to plumber's requests per second, with one and two workers."""
HOLDS = {"noop": b"0", "formula": b"22.", "predict": b"22."}
_CAR = {"wt": 2.62, "hp": 110, "qsec": 16.46}
_BODY = json.dumps({"data": _CAR}).encode()
_FOLDER = SERVED / "r"
_RUN = """
source("functions.R")
plumber::pr_run(plumber::plumb("plumber.R"), port = as.integer(Sys.getenv("PORT")))
"""


def plumber() -> Server:
    """plumber, which has one process."""
    library = "usr/lib/R/site-library"  # Debian's folder of R packages
    folder = environments.debian("plumber", ["r-cran-plumber"], f"{library}/plumber")
    return Server(
        "plumber",
        ["Rscript", "--no-init-file", "-e", _RUN],
        {name: Call(f"/{name}", _BODY, holds) for name, holds in HOLDS.items()},
        _FOLDER,
        {"PORT": "{port}", "R_LIBS": str(folder / library), "R_LIBS_SITE": ""},
    )


def ours(function: str, workers: int) -> Server:
    """The harness with a number of R processes."""
    call = Call("/model", _BODY, HOLDS[function])
    return harness(
        "harness" if workers == 1 else f"harness with {workers} workers",
        _FOLDER,
        f"functions:{function}",
        {function: call},
        workers=workers,
        package="model_harness_r",
    )


def run(scale: float) -> list[Figure]:
    """Measure each function, alternating one worker, two workers and plumber."""
    figures = []
    for function, limits in WANTED.items():
        with ExitStack() as stack:
            contexts = [ours(function, 1), ours(function, 2), plumber()]
            one_worker, two_workers, theirs = (stack.enter_context(server) for server in contexts)
            loads = rounds.measure(
                [one_worker, two_workers, theirs], function, max(2, round(ROUNDS * scale))
            )
        figures += [
            rounds.figure(f"r-{function}-{count}", loads, mine.name, theirs.name, limit)
            for count, (mine, limit) in enumerate(
                zip((one_worker, two_workers), limits, strict=True), 1
            )
        ]
    return figures
