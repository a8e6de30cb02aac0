"""Node processes are identified by their environment; the lock; mount points."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import lock, mounts
from local.errors import SetupError
from local.node import supervisord
from local.paths import Paths

IGNORES_TERM = (
    "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)


@pytest.fixture
def owned_process(paths: Paths) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        ["sleep", "60"], env={supervisord.OWNER_VARIABLE: str(paths.state)}
    ) as process:
        yield process
        process.kill()


def test_owned_processes_are_identified_by_environment(
    paths: Paths, owned_process: subprocess.Popen[str]
) -> None:
    env = {**os.environ, supervisord.OWNER_VARIABLE: f"{paths.state}-of-another"}
    with subprocess.Popen(["sleep", "60"], env=env) as other_process:
        assert supervisord.owned_processes(paths) == {owned_process.pid: "sleep"}
        other_process.kill()


def test_processes_of_earlier_version_are_owned(paths: Paths) -> None:
    env = {"MODEL_DEPLOYMENT_GROUND": str(paths.state)}
    with subprocess.Popen(["sleep", "60"], env=env) as process:
        assert supervisord.owned_processes(paths) == {process.pid: "sleep"}
        process.kill()


def test_kill_owned_spares_excepted_processes(
    paths: Paths, owned_process: subprocess.Popen[str]
) -> None:
    supervisord.kill_owned(paths, except_prefixes=("sle",))
    assert owned_process.poll() is None
    reaper = threading.Thread(target=owned_process.wait)
    reaper.start()
    supervisord.kill_owned(paths)
    reaper.join(5)
    assert owned_process.returncode == -15


def test_terminate_kills_process_that_ignores_sigterm(paths: Paths) -> None:
    env = {**os.environ, supervisord.OWNER_VARIABLE: str(paths.state)}
    command = [sys.executable, "-c", IGNORES_TERM]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        reaper = threading.Thread(target=process.wait)
        reaper.start()
        supervisord.terminate(lambda: list(supervisord.owned_processes(paths)), grace=0.3)
        reaper.join(5)
        assert process.returncode == -9


def test_without_supervisord_there_are_no_states(paths: Paths) -> None:
    assert supervisord.states(paths) == {}
    supervisord.stop(paths, "kubelet")
    supervisord.shut_down(paths)


def test_stale_socket_has_no_states(paths: Paths) -> None:
    paths.run.mkdir(parents=True)
    paths.supervisor_socket.touch()
    assert supervisord.states(paths) == {}
    supervisord.stop(paths, "kubelet")


def test_second_command_waits_and_prints_process_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[str] = []
    is_waiting = threading.Event()
    monkeypatch.setattr(lock, "print_line", lambda text: (printed.append(text), is_waiting.set()))
    order: list[str] = []

    def second() -> None:
        with lock.exclusive_lock(tmp_path):
            order.append("second")

    with lock.exclusive_lock(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert is_waiting.wait(5)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]
    assert f"process {os.getpid()}" in printed[0]


def test_lock_is_acquired_again_after_its_file_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make clean` deletes the folder while the second command waits."""
    folder = tmp_path / "state"
    is_waiting = threading.Event()
    monkeypatch.setattr(lock, "print_line", lambda text: is_waiting.set())
    is_locked: list[bool] = []

    def second() -> None:
        with lock.exclusive_lock(folder), (folder / "lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                is_locked.append(True)

    with lock.exclusive_lock(folder):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert is_waiting.wait(5)
        (folder / "lock").unlink()
        folder.rmdir()
    waiting.join(5)
    assert is_locked == [True]


TABLE = """\
overlay /s/containerd/rootfs overlay rw 0 0
tmpfs /s/kubelet/pods/a\\040b tmpfs rw 0 0
shm /s/containerd/rootfs/dev/shm tmpfs rw 0 0
ext4 /s-other ext4 rw 0 0
ext4 / ext4 rw 0 0
"""


def test_mounts_below_are_listed_innermost_first() -> None:
    assert mounts.mounts_below([Path("/s"), Path("/r")], TABLE) == [
        "/s/containerd/rootfs/dev/shm",
        "/s/containerd/rootfs",
        "/s/kubelet/pods/a b",
    ]


def test_unmount_fails_for_busy_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "mounts_below", lambda folders, table: ["/s/x"])
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    with pytest.raises(SetupError, match="/s/x is still mounted"):
        mounts.unmount(Path("/s"))
