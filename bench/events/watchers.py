"""A watcher process for the bench."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp

from bench.events.broker import USER, Node, free_port
from bench.events.kube import Access
from bench.record import ROOT

_READY_SECONDS = 60.0
_OK = 200


class Watcher:
    """A process that is killed and started again with the same identity, like a container."""

    def __init__(self, namespace: str, api: Access, broker: Node, log: Path) -> None:
        """`log` receives the standard error; `start` starts the process."""
        self.port, self.health_port = free_port(), free_port()
        self._log = log
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "WATCHER_NAMESPACE": namespace,
            "WATCHER_IDENTITY": "bench",
            "WATCHER_API_SERVER": api.url,
            "WATCHER_BROKER_HOST": broker.host,
            "WATCHER_BROKER_PORT": str(broker.port),
            "WATCHER_BROKER_USER": USER,
            "WATCHER_BROKER_PASSWORD": broker.password,
            "WATCHER_HOST": "127.0.0.1",
            "WATCHER_PORT": str(self.port),
            "WATCHER_HEALTH_PORT": str(self.health_port),
        }
        if api.url.startswith("https:"):
            self._environment |= {
                "WATCHER_API_CA_FILE": str(api.authority),
                "WATCHER_API_CERTIFICATE_FILE": str(api.certificate),
            }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        if self._process is None:
            raise RuntimeError("the watcher is not running")
        return self._process.pid

    async def start(self) -> None:
        """Start the process; return immediately."""
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "watcher", env=self._environment, stderr=output, cwd=ROOT
            )

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait; return the exit status, also of a process that had exited."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(number)
        return await process.wait()

    async def get(self, path: str, *, health: bool = False) -> tuple[int, str]:
        """Return status and text of a path; status 0 without a response."""
        url = f"http://127.0.0.1:{self.health_port if health else self.port}{path}"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, OSError):
            return 0, ""

    async def ready(self) -> None:
        """Return as soon as the watcher leads and its first lists are loaded."""
        async with asyncio.timeout(_READY_SECONDS):
            while True:
                status, _ = await self.get("/health/ready", health=True)
                _, metrics = await self.get("/metrics", health=True)
                if status == _OK and "watcher_leader 1.0" in metrics:
                    return
                await asyncio.sleep(0.05)
