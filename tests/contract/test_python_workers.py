"""Several processes for one version: load once, share, replace, drain, and end together."""

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.contract.harness_process import HarnessProcess, Serve, is_running, result
from tests.support.time_limits import at_most

PREDICT = """
import os, time

with open("loads", "a") as log:
    log.write(f"{os.getpid()}\\n")
# The size of a model. Random, so that the kernel does not merge the pages.
weights = os.urandom(1 << 20) * 64

def process_id(seconds=0.0):
    time.sleep(seconds)
    return os.getpid()

async def process_id_async(seconds=0.0):
    import asyncio
    await asyncio.sleep(seconds)
    return os.getpid()

def read():
    return sum(weights[::4096])
"""
THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "predict.py").write_text(PREDICT, encoding="utf-8")
    (tmp_path / "threaded.py").write_text(THREAD + PREDICT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def serve(serve: Serve) -> Serve:
    def start(handler: str = "process_id", workers: int = 2, **settings: str) -> HarnessProcess:
        return serve(handler, MODEL_WORKERS=str(workers), **settings)

    return start


def loads(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "loads").read_text().split()]


def call(harness: HarnessProcess) -> int:
    return int(str(result(harness.call({}))))


def workers(harness: HarnessProcess, count: int) -> set[int]:
    """Return ids of workers that answer; the kernel distributes connections by hash."""
    processes: set[int] = set()
    end = time.monotonic() + at_most(20)
    while len(processes) < count and time.monotonic() < end:
        with suppress(OSError):  # a connection that a killed worker had accepted
            processes.add(call(harness))
    assert len(processes) == count
    return processes


def descendants(process: int) -> list[int]:
    """Return all descendants; the harness forks only in main threads."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process for child in map(int, children) for process in (child, *descendants(child))]


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + at_most(seconds)
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def unshared_megabytes(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("Private_")]
    return sum(kilobytes) / 1024


def test_workers_share_memory_of_one_load(serve: Serve, folder: Path) -> None:
    harness = serve(workers=3)
    processes = workers(harness, 3)
    assert len(loads(folder)) == 1
    assert not processes.intersection(loads(folder))
    for worker in processes:
        assert unshared_megabytes(worker) < 40  # the model has 64


def test_workers_load_separately_where_loading_starts_threads(serve: Serve, folder: Path) -> None:
    harness = serve("threaded:process_id", workers=3)
    processes = workers(harness, 3)
    assert set(loads(folder)) == processes
    harness.terminate()
    status, _, errors = harness.finish()
    assert status == 0
    (line,) = [json.loads(line) for line in errors.splitlines()]
    assert line["message"] == (
        "loading started 1 threads, which workers cannot share: each worker loads separately"
    )


def test_limit_applies_to_all_workers_together(serve: Serve) -> None:
    harness = serve(MODEL_IN_FLIGHT="3", workers=2)
    workers(harness, 2)
    with ThreadPoolExecutor(10) as pool:
        calls = []
        for _ in range(10):
            calls.append(pool.submit(harness.call, {"seconds": 1.5}))
            time.sleep(0.05)
        statuses = [call.result().status for call in calls]
    assert statuses == [200] * 3 + [429] * 7
    assert harness.call({}).status == 200


@pytest.mark.parametrize("handler", ["predict:process_id", "threaded:process_id"])
def test_dead_worker_is_replaced(serve: Serve, handler: str, folder: Path) -> None:
    harness = serve(handler)
    before = workers(harness, 2)
    victim = max(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: not is_running(victim))
    assert harness.health("ready") == 200
    assert harness.health("live") == 200
    until(lambda: len(workers(harness, 2) - before) == 1)
    assert len(loads(folder)) == (1 if handler == "predict:process_id" else 3)
    harness.terminate()
    status, _, errors = harness.finish()
    assert status == 0
    messages = [json.loads(line)["message"] for line in errors.splitlines()]
    assert any("was killed by SIGKILL; out of memory?; starting another one" in m for m in messages)


@pytest.mark.parametrize(
    "handler", ["predict:process_id", "predict:process_id_async", "threaded:process_id"]
)
def test_workers_drain_before_exit(serve: Serve, handler: str) -> None:
    harness = serve(handler)
    processes = descendants(harness.process.pid)
    workers(harness, 2)
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(harness.call, {"seconds": 0.4}) for _ in range(6)]
        time.sleep(0.2)
        harness.terminate()
        time.sleep(0.1)
        assert harness.health("ready") == 503
        assert [call.result().status for call in calls] == [200] * 6
    assert harness.finish()[0] == 0
    assert not any(is_running(process) for process in processes)


def test_timeout_and_threads_apply_to_every_worker(serve: Serve) -> None:
    harness = serve(MODEL_THREADS="4", MODEL_TIMEOUT_SECONDS="0.5")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(harness.call, [{"seconds": 0.9}] * 8))
        assert {answer.status for answer in answers} == {504}
        assert max(answer.seconds for answer in answers) < at_most(1)
        until(lambda: harness.call({}).status == 200)


@pytest.mark.parametrize("handler", ["predict:process_id", "threaded:process_id"])
def test_killed_parent_leaves_no_process(serve: Serve, handler: str) -> None:
    harness = serve(handler)
    processes = descendants(harness.process.pid)
    assert len(processes) == (4 if handler == "predict:process_id" else 3)
    harness.process.kill()
    until(lambda: not any(is_running(process) for process in processes))


def test_killed_loader_ends_container_with_reason(serve: Serve, folder: Path) -> None:
    harness = serve()
    processes = descendants(harness.process.pid)
    os.kill(loads(folder)[0], signal.SIGKILL)
    status, _, errors = harness.finish()
    assert status == 128 + signal.SIGKILL
    message = "the process that loaded the model was killed by SIGKILL; out of memory?"
    assert errors.splitlines()[-1] == message
    until(lambda: not any(is_running(process) for process in processes))


def test_load_failure_ends_start(folder: Path) -> None:
    harness = HarnessProcess(folder, "predict:absent", {"MODEL_WORKERS": "2"})
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert errors.splitlines()[-1].startswith("handler predict:absent: module predict has no")


def test_port_in_use_is_reported(serve: Serve, folder: Path) -> None:
    port = str(serve().port)
    second = HarnessProcess(
        folder, "predict:process_id", {"MODEL_WORKERS": "2", "MODEL_PORT": port}
    )
    second.start()
    status, _, errors = second.finish()
    assert status == 1
    assert errors.splitlines()[-1] == f"cannot listen on 127.0.0.1:{port}: Address already in use"
