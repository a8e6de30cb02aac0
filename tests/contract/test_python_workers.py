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

from tests.contract.harness_process import HarnessProcess, Serve, result, runs

PREDICT = """
import os, time

with open("loads", "a") as log:
    log.write(f"{os.getpid()}\\n")
# What a model may weigh. Random, so that no kernel merges it.
weights = os.urandom(1 << 20) * 64

def who(seconds=0.0):
    time.sleep(seconds)
    return os.getpid()

async def who_async(seconds=0.0):
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
    def start(handler: str = "who", workers: int = 2, **settings: str) -> HarnessProcess:
        return serve(handler, MODEL_WORKERS=str(workers), **settings)

    return start


def loads(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "loads").read_text().split()]


def ask(harness: HarnessProcess) -> int:
    return int(str(result(harness.call({}))))


def workers(harness: HarnessProcess, count: int) -> set[int]:
    """Ids of those that answer; the kernel deals connections out by their hash."""
    found: set[int] = set()
    end = time.monotonic() + 20
    while len(found) < count and time.monotonic() < end:
        with suppress(OSError):  # of what a worker that was just killed had accepted
            found.add(ask(harness))
    assert len(found) == count
    return found


def descendants(process: int) -> list[int]:
    """All of them; the harness forks in main threads only."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *descendants(child))]


def until(what: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    assert what()


def unshared_megabytes(process: int) -> float:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("Private_")]
    return sum(kilobytes) / 1024


def test_workers_load_once_and_share_what_they_loaded(serve: Serve, folder: Path) -> None:
    harness = serve(workers=3)
    found = workers(harness, 3)
    assert len(loads(folder)) == 1
    assert not found.intersection(loads(folder))
    for worker in found:
        assert unshared_megabytes(worker) < 40  # of a model of 64


def test_where_loading_starts_threads_each_worker_loads_alone(serve: Serve, folder: Path) -> None:
    harness = serve("threaded:who", workers=3)
    found = workers(harness, 3)
    assert set(loads(folder)) == found
    harness.terminate()
    status, _, errors = harness.finish()
    assert status == 0
    (line,) = [json.loads(line) for line in errors.splitlines()]
    assert line["message"] == (
        "loading started 1 threads, which a fork would lose: each worker loads by itself"
    )


def test_the_limit_holds_for_all_workers_together(serve: Serve) -> None:
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


@pytest.mark.parametrize("handler", ["predict:who", "threaded:who"])
def test_a_worker_that_dies_is_replaced(serve: Serve, handler: str, folder: Path) -> None:
    harness = serve(handler)
    before = workers(harness, 2)
    victim = max(before)
    os.kill(victim, signal.SIGKILL)
    until(lambda: not runs(victim))
    assert harness.health("ready") == 200
    assert harness.health("live") == 200
    until(lambda: len(workers(harness, 2) - before) == 1)
    assert len(loads(folder)) == (1 if handler == "predict:who" else 3)
    harness.terminate()
    status, _, errors = harness.finish()
    assert status == 0
    messages = [json.loads(line)["message"] for line in errors.splitlines()]
    assert any("was killed by SIGKILL; out of memory?; another one" in m for m in messages)


@pytest.mark.parametrize("handler", ["predict:who", "predict:who_async", "threaded:who"])
def test_all_workers_finish_what_is_in_flight(serve: Serve, handler: str) -> None:
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
    assert not any(runs(process) for process in processes)


def test_time_outs_and_threads_hold_in_every_worker(serve: Serve) -> None:
    harness = serve(MODEL_THREADS="4", MODEL_TIMEOUT_SECONDS="0.5")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(harness.call, [{"seconds": 0.9}] * 8))
        assert {answer.status for answer in answers} == {504}
        assert max(answer.seconds for answer in answers) < 1
        until(lambda: harness.call({}).status == 200)


@pytest.mark.parametrize("handler", ["predict:who", "threaded:who"])
def test_a_killed_parent_leaves_nobody_behind(serve: Serve, handler: str) -> None:
    harness = serve(handler)
    processes = descendants(harness.process.pid)
    assert len(processes) == (4 if handler == "predict:who" else 3)
    harness.process.kill()
    until(lambda: not any(runs(process) for process in processes))


def test_a_killed_loader_ends_the_container_and_says_how(serve: Serve, folder: Path) -> None:
    harness = serve()
    processes = descendants(harness.process.pid)
    os.kill(loads(folder)[0], signal.SIGKILL)
    status, _, errors = harness.finish()
    assert status == 128 + signal.SIGKILL
    message = "the process that loaded the model was killed by SIGKILL; out of memory?"
    assert errors.splitlines()[-1] == message
    until(lambda: not any(runs(process) for process in processes))


def test_what_cannot_be_loaded_ends_the_start(folder: Path) -> None:
    harness = HarnessProcess(folder, "predict:nobody", {"MODEL_WORKERS": "2"})
    harness.start()
    status, _, errors = harness.finish()
    assert status == 1
    assert errors.splitlines()[-1].startswith("handler predict:nobody: module predict has no")


def test_a_taken_port_is_told(serve: Serve, folder: Path) -> None:
    port = str(serve().port)
    second = HarnessProcess(folder, "predict:who", {"MODEL_WORKERS": "2", "MODEL_PORT": port})
    second.start()
    status, _, errors = second.finish()
    assert status == 1
    assert errors.splitlines()[-1] == f"cannot listen on 127.0.0.1:{port}: Address already in use"
