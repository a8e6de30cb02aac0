"""What user code does to its process must not lose responses, logs or child processes."""

import json
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.contract.harness_process import Serve

FUNCTIONS = """
import json, logging, logging.config, multiprocessing, os, sys, time

def square(x):
    return x * x

def pool(k):
    with multiprocessing.Pool(2) as workers:
        return workers.map(square, [1, k])

def terminated():
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=[60])
    process.start()
    process.terminate()
    process.join(10)
    return process.exitcode

def word(payload: str):
    raise ValueError("unknown word " + json.loads(payload)["word"])

async def async_word(payload: str):
    raise ValueError("unknown word " + json.loads(payload)["word"])

def fail():
    raise ValueError("boom")
"""
HALF_EMOJI = json.dumps({"word": "\\ud83d"}).replace("\\\\", "\\")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.py").write_text(FUNCTIONS, encoding="utf-8")
    return tmp_path


def test_pool_of_processes_works_in_function(serve: Serve) -> None:
    harness = serve("pool")
    for number in range(30):
        answer = harness.call({"k": number})
        assert (answer.status, answer.json()["result"]) == (200, [1, number**2])  # type: ignore[index] # JSON


def test_child_process_ends_by_sigterm(serve: Serve) -> None:
    answer = serve("terminated").call({})
    assert answer.json()["result"] == -15  # type: ignore[index] # JSON


@pytest.mark.parametrize("function", ["word", "async_word"])
def test_error_that_cannot_be_encoded_is_answered(serve: Serve, function: str) -> None:
    harness = serve(function, MODEL_TIMEOUT_SECONDS="5")
    for _ in range(3):
        answer = harness.call({"payload": HALF_EMOJI})
        assert answer.status == 500
        assert answer.errors() == ["ValueError: unknown word ?"]
        assert answer.seconds < 2


@pytest.mark.parametrize(
    "statement",
    [
        "sys.stderr.close()",
        "os.close(2)",
        "logging.config.dictConfig({'version': 1, 'root': {'level': 'INFO'}})",
        "logging.disable(logging.CRITICAL)",
        "logging.shutdown()",
    ],
)
def test_log_and_response_survive_model_that_changes_logging(
    serve: Serve, folder: Path, statement: str
) -> None:
    (folder / "predict.py").write_text(f"{FUNCTIONS}\n{statement}\n", encoding="utf-8")
    harness = serve("fail")
    answer = harness.call({})
    assert answer.status == 500
    assert answer.errors() == ["ValueError: boom"]
    harness.terminate()
    _, _, errors = harness.finish()
    assert answer.headers["x-request-id"] in errors
    assert "Traceback" in errors


@pytest.mark.parametrize("workers", ["1", "2"])
def test_exit_hooks_of_user_code_run_at_the_end(serve: Serve, folder: Path, workers: str) -> None:
    hook = "import atexit\natexit.register(lambda: print('bye', flush=True))\n"
    (folder / "predict.py").write_text(hook + FUNCTIONS, encoding="utf-8")
    harness = serve("pool", MODEL_WORKERS=workers)
    assert harness.call({"k": 2}).status == 200
    harness.terminate()
    status, output, _ = harness.finish()
    assert status == 0
    assert output.splitlines().count("bye") >= int(workers)


class _LineHandler(socketserver.StreamRequestHandler):
    """Answers each line of a connection after a moment."""

    def handle(self) -> None:
        for line in self.rfile:
            time.sleep(0.003)
            self.wfile.write(b"answer-for:" + line)


CONNECTED = """
import socket
f = socket.create_connection(("127.0.0.1", PORT)).makefile("rwb")
def ask(who):
    f.write(str(who).encode() + b"\\n")
    f.flush()
    return f.readline().decode().strip()
"""


def test_workers_do_not_share_connections(
    serve: Serve, folder: Path, threads: ThreadPoolExecutor
) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _LineHandler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = CONNECTED.replace("PORT", str(server.server_address[1]))
        (folder / "predict.py").write_text(code, encoding="utf-8")
        harness = serve("ask", MODEL_WORKERS="2")
        calls = [threads.submit(harness.call, {"who": f"user{n}"}) for n in range(60)]
        results = [call.result().json()["result"] for call in calls]  # type: ignore[index] # JSON
        assert results == [f"answer-for:user{n}" for n in range(60)]
        server.shutdown()


SHARED_FILE = """
f = open("numbers.txt")
def read():
    return f.readline().strip()
"""


def test_workers_do_not_share_file_positions(
    serve: Serve, folder: Path, threads: ThreadPoolExecutor
) -> None:
    (folder / "numbers.txt").write_text("".join(f"{n}\n" for n in range(100_000)))
    (folder / "predict.py").write_text(SHARED_FILE, encoding="utf-8")
    harness = serve("read", MODEL_WORKERS="2")
    calls = [threads.submit(harness.call, {}) for _ in range(40)]
    numbers = [int(call.result().json()["result"]) for call in calls]  # type: ignore[index] # JSON
    assert max(numbers) < 40  # each worker counts from the start


RANDOM = """
import random
import numpy
numpy.random.seed(0)
def draw():
    return [numpy.random.random(), random.random()]
"""


def test_workers_draw_different_random_numbers(
    serve: Serve, folder: Path, threads: ThreadPoolExecutor
) -> None:
    (folder / "predict.py").write_text(RANDOM, encoding="utf-8")
    harness = serve("draw", MODEL_WORKERS="2", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    calls = [threads.submit(harness.call, {}) for _ in range(50)]
    draws = [tuple(call.result().json()["result"]) for call in calls]  # type: ignore[index] # JSON
    assert len({first for first, _ in draws}) == len(draws)
    assert len({second for _, second in draws}) == len(draws)


STATE = """
import contextvars, decimal
import numpy
decimal.getcontext().prec = 50
numpy.seterr(all="raise")
variable = contextvars.ContextVar("variable", default=None)
variable.set(1)

def state():
    try:
        numpy.array([1.0]) / 0
        error = None
    except FloatingPointError as raised:
        error = type(raised).__name__
    return [decimal.getcontext().prec, error, variable.get()]

async def async_state():
    return state()
"""


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        ("state", {}),
        ("state", {"MODEL_THREADS": "3"}),
        ("state", {"MODEL_WORKERS": "2", "OPENBLAS_NUM_THREADS": "1"}),
        ("async_state", {}),
    ],
)
def test_context_of_loading_holds_in_calls(
    serve: Serve, folder: Path, function: str, settings: dict[str, str]
) -> None:
    (folder / "predict.py").write_text(STATE, encoding="utf-8")
    harness = serve(function, **settings)
    for _ in range(10):
        answer = harness.call({})
        assert answer.json()["result"] == [50, "FloatingPointError", 1]  # type: ignore[index] # JSON
