"""`python -P -m model_harness`: decode the settings, then serve until SIGTERM.

`-P` keeps the folder of the user's code off `sys.path` until the harness has imported its modules:
a `queue.py` of the user must not shadow the standard library.
"""

import os
import sys
from typing import TYPE_CHECKING

from model_harness.errors import StartupError
from model_harness.observability.termination_message import TerminationMessage
from model_harness.runtime import supervisor
from model_harness.settings import Settings

if TYPE_CHECKING:
    from model_harness.runtime.handler import Handler


def main() -> int:
    """Return the exit status: 0 drained, 1 could not start, 128+n killed by signal n."""
    termination = TerminationMessage.from_environment(os.environ)
    try:
        settings = Settings.from_environment(os.environ)
    except StartupError as error:
        termination.report(error)
        return 1
    return supervisor.run(settings, termination, lambda: _load)


def _load(settings: Settings) -> "Handler":
    from model_harness.runtime import handler  # noqa: PLC0415 - the parent does not need it

    return handler.load(settings)


if __name__ == "__main__":
    sys.exit(main())
