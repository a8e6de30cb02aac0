"""Compare the harness with KServe, BentoML and MLflow, each set up as its documentation shows.

All serve the estimator of models/iris/v1 with the same scikit-learn and numpy, each in a separate
virtual environment. KServe and BentoML call `predict` of models/iris/v1, as the
harness does; MLflow uses its scikit-learn flavor. Each peer receives one flower as JSON in its
protocol, and logs each request if that is its default.
"""

import json
import os
import subprocess
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from bench.figures import Figure
from bench.harness import environments, rounds
from bench.harness.functions import FLOWER, SPECIES, ours
from bench.harness.servers import IRIS, SERVED, Call, Server

ROUNDS = 10
_SAME = tuple(f"{name}=={version(name)}" for name in ("scikit-learn", "numpy"))
"""The ratios on this machine."""
KSERVE = ("kserve==0.21.0", *_SAME)
BENTOML = ("bentoml==1.4.39", *_SAME)
MLFLOW = ("mlflow==3.17.2", *_SAME)
_FOLDER = SERVED / "peers"
_FLOWERS = [list(FLOWER.values())]
PROBABILITY = b"0.98"
"""Index of SPECIES, for servers without names."""
WANTED = (
    ("harness", "KServe", 3.0),
    ("harness with 2 workers", "KServe with 2 workers", 2.2),
    ("harness", "BentoML", 16.0),
    ("harness", "MLflow", 20.0),
)
"""The same number of workers on both sides."""


def _server(
    name: str,
    command: list[str],
    path: str,
    body: object,
    *,
    holds: bytes = SPECIES,
    workers: int = 1,
) -> Server:
    call = Call(path, json.dumps(body).encode(), holds)
    settings = {
        "PYTHONPATH": str(IRIS),
        # no telemetry
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    return Server(name, command, {"iris": call}, _FOLDER, settings, workers=workers)


def kserve(workers: int) -> Server:
    """KServe's Python model server, without gRPC."""
    programs = environments.python("kserve", KSERVE)
    body = {"instances": _FLOWERS}
    name = "KServe" if workers == 1 else f"KServe with {workers} workers"
    command = [
        *(str(programs / "python"), "kserve_iris.py", "--http_port", "{port}"),
        *("--workers", str(workers), "--enable_grpc", "false"),
    ]
    return _server(name, command, "/v1/models/iris:predict", body, workers=workers)


def bentoml() -> Server:
    """BentoML's server with one worker."""
    program = str(environments.python("bentoml", BENTOML) / "bentoml")
    command = [program, "serve", "bentoml_iris:Iris", "--host", "127.0.0.1", "--port", "{port}"]
    return _server("BentoML", command, "/predict", FLOWER)


def mlflow(folder: Path) -> Server:
    """MLflow's scoring server with one worker; `folder` contains the saved model."""
    programs = environments.python("mlflow", MLFLOW)
    server = _server(
        "MLflow",
        [
            *(str(programs / "mlflow"), "models", "serve", "--model-uri", str(folder / "iris")),
            *("--env-manager", "local", "--host", "127.0.0.1", "--port", "{port}"),
            *("--workers", "1"),
        ],
        "/invocations",
        {"dataframe_split": {"columns": list(FLOWER), "data": _FLOWERS}},
        holds=PROBABILITY,
    )
    path = os.pathsep.join([str(programs), os.environ["PATH"]])  # it starts uvicorn by name
    server.settings = {**server.settings, "PATH": path}
    subprocess.run(
        [str(programs / "python"), _FOLDER / "mlflow_iris.py", folder / "iris"],
        env=dict(server.settings),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return server


def run(scale: float) -> list[Figure]:
    """Measure all servers, alternating."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        contexts = [ours("iris"), ours("iris", 2), kserve(1), kserve(2), bentoml(), mlflow(folder)]
        servers = [stack.enter_context(server) for server in contexts]
        loads = rounds.measure(servers, "iris", max(2, round(ROUNDS * scale)))
    return [
        rounds.figure(f"peer-{theirs.lower().replace(' ', '-')}", loads, mine, theirs, limit)
        for mine, theirs, limit in WANTED
    ]
