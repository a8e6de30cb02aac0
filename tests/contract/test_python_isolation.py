"""What user code does to its process must not lose responses, logs or child processes."""

import json
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
