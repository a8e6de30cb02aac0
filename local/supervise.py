"""Runs the ground's processes under supervisord and asks it about them."""

from __future__ import annotations

import configparser
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import cast

from supervisor.xmlrpc import SupervisorTransport

from local.errors import GroundError
from local.paths import Paths
from local.programs import commands

#: Stands in the environment of every process of the ground, so that none is missed or mistaken.
MARK = "MODEL_DEPLOYMENT_GROUND"

#: What the ground's processes inherit. Some read their settings from variables: none of the user's
#: may change the ground by chance.
INHERITED = (
    *("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)

#: How long a process may take to end before it is killed, in seconds.
STOP_SECONDS = 20

#: How long the kernel may take to end what was killed, in seconds.
KILL_SECONDS = 10


def _config(paths: Paths) -> str:
    config = configparser.RawConfigParser()
    config["unix_http_server"] = {"file": str(paths.supervisor_socket), "chmod": "0700"}
    config["supervisord"] = {
        "logfile": f"{paths.logs}/supervisord.log",
        "logfile_maxbytes": "5MB",
        "logfile_backups": "1",
        "pidfile": f"{paths.run}/supervisord.pid",
        "childlogdir": str(paths.logs),
        "minfds": "4096",
        "minprocs": "4096",
    }
    config["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    config["supervisorctl"] = {"serverurl": f"unix://{paths.supervisor_socket}"}
    for place, (name, command) in enumerate(commands(paths).items()):
        config[f"program:{name}"] = {
            "command": shlex.join(command).replace("%", "%%"),
            "priority": str(10 * (place + 1)),
            "directory": str(paths.state),
            # a process that needs another one ends until that one answers
            "startsecs": "3",
            "startretries": "1000",
            "autorestart": "true",
            "stopwaitsecs": str(STOP_SECONDS),
            "stdout_logfile": f"{paths.logs}/{name}.log",
            "redirect_stderr": "true",
            "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": "1",
        }
    path = paths.state / "etc/supervisord.conf"
    with path.open("w") as file:
        config.write(file)
    return str(path)


def _proxy(paths: Paths) -> xmlrpc.client.ServerProxy:
    transport = SupervisorTransport(None, None, f"unix://{paths.supervisor_socket}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)


def states(paths: Paths) -> dict[str, str]:
    """Each process's state as supervisord sees it; empty where no supervisord runs."""
    if not paths.supervisor_socket.exists():
        return {}
    try:
        rows = cast("list[dict[str, str]]", _proxy(paths).supervisor.getAllProcessInfo())
    except (OSError, xmlrpc.client.Error):
        return {}
    return {row["name"]: row["statename"] for row in rows}


def start(paths: Paths) -> None:
    """Start supervisord with every process, after ending what an earlier one left behind."""
    end_marked(paths, keep=("containerd-shim",))  # containers go on; containerd finds them again
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    binary = Path(sys.executable).parent / "supervisord"
    done = subprocess.run(
        [binary, "-c", _config(paths)],
        env={MARK: str(paths.state), **inherited},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise GroundError(
            f"supervisord did not start: {done.stdout}{done.stderr}",
            f"see {paths.logs}/supervisord.log",
        )


def restart_failed(paths: Paths) -> None:
    """Start again what supervisord gave up or someone stopped."""
    for name, state in states(paths).items():
        if state in ("STOPPED", "EXITED", "FATAL"):
            # where it cannot be started, whoever waits for it says so
            with contextlib.suppress(xmlrpc.client.Fault):
                _proxy(paths).supervisor.startProcess(name, False)


def stop(paths: Paths, name: str) -> None:
    """Stop one process and wait for its end."""
    with contextlib.suppress(OSError, xmlrpc.client.Error):  # it does not run
        _proxy(paths).supervisor.stopProcess(name, True)


def shut_down(paths: Paths) -> None:
    """Stop every process in reverse order, then supervisord itself."""
    if states(paths):
        with contextlib.suppress(xmlrpc.client.Fault):  # an earlier command ends it already
            _proxy(paths).supervisor.shutdown()
        deadline = time.monotonic() + 2 * STOP_SECONDS
        while states(paths) and time.monotonic() < deadline:
            time.sleep(0.2)
    end_marked(paths)


def marked(paths: Paths) -> dict[int, str]:
    """Ids and names of all living processes of this ground, with or without a supervisor."""
    wanted = f"{MARK}={paths.state}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "comm").read_text().strip()
        except OSError:
            continue  # ended meanwhile
    return found


def end_marked(paths: Paths, keep: tuple[str, ...] = ()) -> None:
    """End all processes of this ground but those whose name begins with one of ``keep``."""
    end(lambda: [pid for pid, name in marked(paths).items() if not name.startswith(keep)])


def end(find: Callable[[], list[int]], grace: float = 5.0) -> None:
    """Ask all that ``find`` returns to end, and kill what is left after ``grace`` seconds."""
    started = time.monotonic()
    while pids := [pid for pid in find() if pid != os.getpid()]:
        waited = time.monotonic() - started
        if waited > grace + KILL_SECONDS:
            raise GroundError(f"processes {pids} do not end", "reboot, or look at them with ps")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if waited < grace else signal.SIGKILL)
        time.sleep(0.2)
