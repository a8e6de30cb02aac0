"""`python -P -m model_harness_r`: the same front, with R processes behind it.

One process of Python has them all: MODEL_WORKERS counts R processes. No thread of the server waits
for them.
"""

import dataclasses
import os
import re
import sys
from typing import TYPE_CHECKING

from model_harness import last_words, supervisor
from model_harness.errors import StartupError
from model_harness.processes import Load
from model_harness.settings import Settings

if TYPE_CHECKING:
    from model_harness.handler import Handler

# `<file>:<function>`. A dot in a name of R is a letter like others: `predict.mpg`.
LABEL = re.compile(r"[A-Za-z_][\w.-]*:[A-Za-z.][\w.]*")
LABEL_WANTED = "<file>:<function>, the file without .R, like predict:predict"


def main() -> int:
    """Exit status: 0 drained, 1 could not start, 128+n killed by signal n."""
    last_words.configure(os.environ)
    try:
        settings = Settings.from_environment(os.environ, LABEL, LABEL_WANTED)
    except StartupError as error:
        last_words.say(error)
        return 1

    def begin() -> Load:
        """R takes longer to start than the server does to be imported: so it goes first."""
        from model_harness_r.pool import Pool  # noqa: PLC0415 - not needed by the parent

        pool = Pool(settings.handler, settings.workers, os.environ)

        def load(settings: Settings) -> "Handler":
            from model_harness_r import handler  # noqa: PLC0415 - nor yet

            return handler.load(settings, pool)

        return load

    return supervisor.run(dataclasses.replace(settings, workers=1, threads=0), begin)


if __name__ == "__main__":
    sys.exit(main())
