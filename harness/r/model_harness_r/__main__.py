"""`python -P -m model_harness_r`: the server of `model_harness` with R processes behind it.

One Python process manages all of them: MODEL_WORKERS counts R processes. No thread of the server
waits for them.
"""

import dataclasses
import os
import re
import sys
from typing import TYPE_CHECKING

from model_harness.errors import StartupError
from model_harness.observability.termination_message import TerminationMessage
from model_harness.runtime import supervisor
from model_harness.runtime.processes import Load
from model_harness.settings import Settings

if TYPE_CHECKING:
    from model_harness.runtime.handler import Handler

# `<file>:<function>`. A dot is a letter like any other in a name of R: `predict.mpg`.
HANDLER = re.compile(r"[A-Za-z_][\w.-]*:[A-Za-z.][\w.]*")
HANDLER_FORM = "<file>:<function>, the file without .R, like predict:predict"


def main() -> int:
    """Return the exit status: 0 drained, 1 could not start, 128+n killed by signal n."""
    termination = TerminationMessage.from_environment(os.environ)
    try:
        settings = Settings.from_environment(os.environ, HANDLER, HANDLER_FORM)
    except StartupError as error:
        termination.report(error)
        return 1

    def load_factory() -> Load:
        """Start R first: that takes longer than the import of the server."""
        from model_harness_r.pool.worker_pool import (  # noqa: PLC0415 - the parent does not need it
            WorkerPool,
        )

        pool = WorkerPool(settings.handler, settings.workers, os.environ, termination)

        def load(settings: Settings) -> "Handler":
            from model_harness_r import handler  # noqa: PLC0415 - imports the server

            return handler.load(settings, pool)

        return load

    single = dataclasses.replace(settings, workers=1, threads=0)
    return supervisor.run(single, termination, load_factory)


if __name__ == "__main__":
    sys.exit(main())
