"""The functions that are served, and the requests to the harness and the bare server."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.harness.servers import IRIS, SERVED, Call, Server, harness

FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
SPECIES = b"setosa"
PLAIN = {
    "noop": Call("/model", b'{"data": {"value": 1.5}}', b"1.5"),
    "iris": Call("/model", json.dumps({"data": FLOWER}).encode(), SPECIES),
}
"""Requests by Domino's protocol, which the bare server accepts as well."""
FOLDERS = {"noop": SERVED / "noop", "iris": IRIS}


def ours(
    function: str,
    workers: int = 1,
    name: str = "harness",
    python: Sequence[str] = (sys.executable,),
) -> Server:
    """Return the harness with a function."""
    name = name if workers == 1 else f"{name} with {workers} workers"
    calls = {function: PLAIN[function]}
    folder = FOLDERS[function]
    return harness(name, folder, "predict:predict", calls, workers=workers, python=python)


def bare(function: str, interface: str = "wsgi") -> Server:
    """Return Granian with one worker and one thread."""
    folder = FOLDERS[function]
    threads = ["--blocking-threads", "1"] if interface == "wsgi" else []
    return Server(
        f"bare {interface.upper()}",
        [
            *(sys.executable, "-m", "granian", "--interface", interface, "--workers", "1"),
            *(*threads, "--no-log", "--host", "127.0.0.1", "--port", "{port}", f"bare:{interface}"),
        ],
        {function: PLAIN[function]},
        folder,
        {"PYTHONPATH": os.pathsep.join(map(str, (SERVED, Path(folder))))},
    )
