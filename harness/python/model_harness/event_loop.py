"""An asyncio event loop in a thread of its own, for handlers that are `async def`."""

import asyncio
import threading
from collections.abc import Callable, Coroutine


class EventLoop:
    """Runs coroutines. A handler that blocks in one blocks them all, but not the server."""

    def __init__(self) -> None:
        """Nothing runs before `start`."""
        self._loop = asyncio.new_event_loop()

    def start(self) -> None:
        """Run for as long as the process lives."""
        threading.Thread(target=self._loop.run_forever, name="event loop", daemon=True).start()

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the loop's thread, soon; from any thread."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def task(self, coroutine: Coroutine[object, None, None]) -> asyncio.Task[None]:
        """Begin to run a coroutine; from the loop's own thread only. Keep what is returned."""
        return self._loop.create_task(coroutine)
