"""Run the node processes under supervisord."""

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

from local.errors import SetupError
from local.node.process_commands import commands
from local.paths import Paths

OWNER_VARIABLE = "MODEL_DEPLOYMENT_OWNER"
"""The environment variable that identifies the node processes; its value is the state folder."""
_OWNER_VARIABLES = (OWNER_VARIABLE, "MODEL_DEPLOYMENT_GROUND")
"""The second is in processes that an earlier version started."""

INHERITED_VARIABLES = (
    *("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""The variables that node processes inherit. No other one of the user may configure them."""

STOP_SECONDS = 20
"""Time between SIGTERM and SIGKILL of a node process."""

KILL_SECONDS = 10
"""Time limit for the end of processes after SIGKILL."""


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
    for index, (name, command) in enumerate(commands(paths).items()):
        config[f"program:{name}"] = {
            "command": shlex.join(command).replace("%", "%%"),
            "priority": str(10 * (index + 1)),
            "directory": str(paths.run),  # etcd creates its sockets here
            # a process exits until the processes that it needs are ready
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
    """Return the state of each process; nothing if supervisord does not run."""
    if not paths.supervisor_socket.exists():
        return {}
    try:
        rows = cast("list[dict[str, str]]", _proxy(paths).supervisor.getAllProcessInfo())
    except (OSError, xmlrpc.client.Error):
        return {}
    return {row["name"]: row["statename"] for row in rows}


def start(paths: Paths) -> None:
    """Start supervisord and all processes, after killing those of an earlier supervisord."""
    kill_owned(paths, except_prefixes=("containerd-shim",))  # containerd adopts its containers
    inherited = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
    binary = Path(sys.executable).parent / "supervisord"
    result = subprocess.run(
        [binary, "-c", _config(paths)],
        env={OWNER_VARIABLE: str(paths.state), **inherited},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise SetupError(
            f"supervisord did not start: {result.stdout}{result.stderr}",
            f"see {paths.logs}/supervisord.log",
        )


def restart_failed(paths: Paths) -> None:
    """Start processes that failed or were stopped."""
    for name, state in states(paths).items():
        if state in ("STOPPED", "EXITED", "FATAL"):
            # the wait for readiness reports a process that does not start
            with contextlib.suppress(xmlrpc.client.Fault):
                _proxy(paths).supervisor.startProcess(name, False)


def stop(paths: Paths, name: str) -> None:
    """Stop one process and wait until it has ended."""
    with contextlib.suppress(OSError, xmlrpc.client.Error):  # it does not run
        _proxy(paths).supervisor.stopProcess(name, True)


def shut_down(paths: Paths) -> None:
    """Stop every process in reverse order, then supervisord itself."""
    if states(paths):
        with contextlib.suppress(xmlrpc.client.Fault):  # it is already shutting down
            _proxy(paths).supervisor.shutdown()
        deadline = time.monotonic() + 2 * STOP_SECONDS
        while states(paths) and time.monotonic() < deadline:
            time.sleep(0.2)
    kill_owned(paths)


def owned_processes(paths: Paths) -> dict[int, str]:
    """Return ids and names of all node processes, also of those whose supervisord has ended."""
    assignments = {f"{variable}={paths.state}".encode() for variable in _OWNER_VARIABLES}
    processes = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if assignments.intersection((folder / "environ").read_bytes().split(b"\0")):
                processes[int(folder.name)] = (folder / "comm").read_text().strip()
        except OSError:
            continue  # the process ended
    return processes


def kill_owned(paths: Paths, except_prefixes: tuple[str, ...] = ()) -> None:
    """Terminate all node processes except those whose name has one of the prefixes."""
    terminate(
        lambda: [
            pid
            for pid, name in owned_processes(paths).items()
            if not name.startswith(except_prefixes)
        ]
    )


def terminate(find: Callable[[], list[int]], grace: float = 5.0) -> None:
    """Send SIGTERM to the processes that `find` returns, and SIGKILL after `grace` seconds."""
    started = time.monotonic()
    while pids := [pid for pid in find() if pid != os.getpid()]:
        elapsed = time.monotonic() - started
        if elapsed > grace + KILL_SECONDS:
            raise SetupError(f"cannot kill processes {pids}", "check them with ps, or reboot")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if elapsed < grace else signal.SIGKILL)
        time.sleep(0.2)
