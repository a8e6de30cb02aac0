"""`python -P -m model_harness`: read the settings, then serve until told to stop.

`-P` keeps the user's folder off `sys.path` until the harness has imported its own modules: a
user's `queue.py` must not shadow the standard library under the harness's feet.
"""

import os
import sys
from typing import TYPE_CHECKING

from model_harness import last_words, supervisor
from model_harness.errors import StartupError
from model_harness.settings import Settings

if TYPE_CHECKING:
    from model_harness.handler import Handler


def main() -> int:
    """Exit status: 0 drained, 1 could not start, 128+n killed by signal n."""
    last_words.configure(os.environ)
    try:
        settings = Settings.from_environment(os.environ)
    except StartupError as error:
        last_words.say(error)
        return 1
    return supervisor.run(settings, lambda: _load)


def _load(settings: Settings) -> "Handler":
    from model_harness import handler  # noqa: PLC0415 - not needed by the parent

    return handler.load(settings)


if __name__ == "__main__":
    sys.exit(main())
