"""The ground's processes are found by their environment, and one command works at a time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import lock, mounts, supervise
from local.errors import GroundError
from local.paths import Paths

IGNORES_TERM = (
    "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)


@pytest.fixture
def marked_process(paths: Paths) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(["sleep", "60"], env={supervise.MARK: str(paths.state)}) as process:
        yield process
        process.kill()


def test_processes_are_found_by_their_environment(
    paths: Paths, marked_process: subprocess.Popen[str]
) -> None:
    other = {**os.environ, supervise.MARK: f"{paths.state}-of-another"}
    with subprocess.Popen(["sleep", "60"], env=other) as stranger:
        assert supervise.marked(paths) == {marked_process.pid: "sleep"}
        stranger.kill()


def test_what_is_kept_is_not_ended(paths: Paths, marked_process: subprocess.Popen[str]) -> None:
    supervise.end_marked(paths, keep=("sle",))
    assert marked_process.poll() is None
    reaper = threading.Thread(target=marked_process.wait)
    reaper.start()
    supervise.end_marked(paths)
    reaper.join(5)
    assert marked_process.returncode == -15


def test_a_process_that_does_not_heed_is_killed(paths: Paths) -> None:
    env = {**os.environ, supervise.MARK: str(paths.state)}
    command = [sys.executable, "-c", IGNORES_TERM]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        reaper = threading.Thread(target=process.wait)
        reaper.start()
        supervise.end(lambda: list(supervise.marked(paths)), grace=0.3)
        reaper.join(5)
        assert process.returncode == -9


def test_without_a_supervisor_there_are_no_states_and_nothing_to_stop(paths: Paths) -> None:
    assert supervise.states(paths) == {}
    supervise.stop(paths, "kubelet")
    supervise.shut_down(paths)


def test_a_stale_socket_is_no_supervisor(paths: Paths) -> None:
    paths.run.mkdir(parents=True)
    paths.supervisor_socket.touch()
    assert supervise.states(paths) == {}
    supervise.stop(paths, "kubelet")


def test_a_second_command_waits_and_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    told = threading.Event()
    monkeypatch.setattr(lock, "say", lambda text: (said.append(text), told.set()))
    order: list[str] = []

    def second() -> None:
        with lock.alone(tmp_path):
            order.append("second")

    with lock.alone(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert told.wait(5)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]
    assert f"process {os.getpid()}" in said[0]


def test_a_lock_whose_file_was_deleted_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make clean` removes the folder while the other one waits."""
    folder = tmp_path / "state"
    told = threading.Event()
    monkeypatch.setattr(lock, "say", lambda text: told.set())
    held: list[bool] = []

    def second() -> None:
        with lock.alone(folder), (folder / "lock").open() as again:
            try:
                fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)

    with lock.alone(folder):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert told.wait(5)
        (folder / "lock").unlink()
        folder.rmdir()
    waiting.join(5)
    assert held == [True]


TABLE = """\
overlay /s/containerd/rootfs overlay rw 0 0
tmpfs /s/kubelet/pods/a\\040b tmpfs rw 0 0
shm /s/containerd/rootfs/dev/shm tmpfs rw 0 0
ext4 /s-other ext4 rw 0 0
ext4 / ext4 rw 0 0
"""


def test_mounts_below_our_folders_are_found_innermost_first() -> None:
    assert mounts.below([Path("/s"), Path("/r")], TABLE) == [
        "/s/containerd/rootfs/dev/shm",
        "/s/containerd/rootfs",
        "/s/kubelet/pods/a b",
    ]


def test_nothing_is_deleted_below_a_mount_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "below", lambda folders, table: ["/s/x"])
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    with pytest.raises(GroundError, match="still mounted: /s/x"):
        mounts.unmount(Path("/s"))
