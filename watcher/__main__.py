"""`python -m watcher`: run until SIGTERM or SIGINT."""

import asyncio
import os
import signal
import sys

from watcher import log
from watcher.app import Watcher
from watcher.errors import FatalError, StartupError, WatcherError
from watcher.kube_client import KubeClient
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
        async with KubeClient(settings.api) as client:
            await Watcher(settings, client, publisher).run()
    finally:
        await asyncio.to_thread(publisher.close)


def _user_error_in(error: BaseException) -> WatcherError | None:
    """Return the first error of a group that has a message for the user."""
    if isinstance(error, BaseExceptionGroup):
        errors = (_user_error_in(member) for member in error.exceptions)
        return next((user_error for user_error in errors if user_error is not None), None)
    return error if isinstance(error, FatalError | StartupError) else None


def main() -> int:
    """Return the exit status: 0 after a signal, 1 after an error printed on standard error."""
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
        user_error = _user_error_in(error)
        if user_error is None:
            raise
        print(user_error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
