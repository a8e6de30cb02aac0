"""`python -m watcher`: watch until told to stop."""

import asyncio
import os
import signal
import sys

from watcher import log
from watcher.api import Api
from watcher.errors import FatalError, StartupError, WatcherError
from watcher.program import Program
from watcher.publisher import Publisher
from watcher.settings import Settings


async def _run(settings: Settings) -> None:
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
    publisher = Publisher(settings.broker)
    try:
        async with Api(settings.api) as api:
            await Program(settings, api, publisher).run()
    finally:
        await asyncio.to_thread(publisher.close)


def _sentence(error: BaseException) -> WatcherError | None:
    """The one reason within a group of tasks that ended together."""
    if isinstance(error, BaseExceptionGroup):
        found = (_sentence(one) for one in error.exceptions)
        return next((one for one in found if one is not None), None)
    return error if isinstance(error, FatalError | StartupError) else None


def main() -> int:
    """Exit status: 0 told to stop, 1 with a sentence on standard error."""
    try:
        settings = Settings.from_environment(os.environ)
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    log.configure()
    try:
        asyncio.run(_run(settings))
    except asyncio.CancelledError:
        return 0
    except (WatcherError, ExceptionGroup) as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        print(sentence, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
