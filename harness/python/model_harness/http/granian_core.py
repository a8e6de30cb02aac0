"""Import Granian's core without its server and command line.

Performance-critical, see docs/adr/0003-harness-server.md. `import granian` also imports asyncio,
multiprocessing, TLS and uvloop: 15 MB in every process and more than half of the start time. So
this module skips the `__init__` of the package; a later `import granian` works as usual.
"""

import importlib.util
import sys
from types import ModuleType


def _bare_package() -> ModuleType:
    spec = importlib.util.find_spec("granian")
    if spec is None:
        raise ModuleNotFoundError("granian is not installed", name="granian")
    return importlib.util.module_from_spec(spec)


_IS_IMPORTED = "granian" in sys.modules
if not _IS_IMPORTED:
    sys.modules["granian"] = _bare_package()

from granian._granian import (  # noqa: E402 - needs the bare package above
    CallbackScheduler,
    ListenerSpec,
    RSGIProtocolClosed,
    RSGIProtocolError,
    RSGIWorker,
    WorkerSignal,
)
from granian.http import HTTP1Settings  # noqa: E402 - as above

if not _IS_IMPORTED:
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
