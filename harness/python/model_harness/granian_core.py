"""Granian's core without its own server and command line, which are not used here.

`import granian` brings asyncio, multiprocessing, TLS and uvloop along: 15 MB in every process, and
more than half of the time until it is ready. So the package's `__init__` is passed over; whoever
imports granian later gets all of it as usual.
"""

import importlib.util
import sys
from types import ModuleType


def _bare_package() -> ModuleType:
    spec = importlib.util.find_spec("granian")
    if spec is None:
        raise ModuleNotFoundError("there is no granian", name="granian")
    return importlib.util.module_from_spec(spec)


_FOUND = "granian" in sys.modules
if not _FOUND:
    sys.modules["granian"] = _bare_package()

from granian._granian import (  # noqa: E402 - that is the point
    CallbackScheduler,
    ListenerSpec,
    RSGIProtocolClosed,
    RSGIProtocolError,
    RSGIWorker,
    WorkerSignal,
)
from granian.http import HTTP1Settings  # noqa: E402 - the same

if not _FOUND:
    del sys.modules["granian"]

__all__ = [
    "CallbackScheduler",
    "HTTP1Settings",
    "ListenerSpec",
    "RSGIProtocolClosed",
    "RSGIProtocolError",
    "RSGIWorker",
    "WorkerSignal",
]
