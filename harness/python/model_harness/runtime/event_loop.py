"""An asyncio event loop in a separate thread, for handlers that are `async def`."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable

from model_harness.binding.table_binding import Invocation, Rows
from model_harness.runtime.call import Call
from model_harness.runtime.scheduler import CallScheduler


class EventLoop:
    """Runs the calls of one function. A function that blocks delays all calls, not the server."""

    def __init__(
        self,
        function: Callable[..., Awaitable[object]],
        scheduler: CallScheduler,
        context: contextvars.Context,
    ) -> None:
        """Start the thread, which runs for the lifetime of the process.

        Each call runs in a copy of `context`.
        """
        self._context = context
        self._function = function
        self._scheduler = scheduler
        self._tasks: dict[Call, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="event loop", daemon=True).start()

    def submit(self, call: Call) -> None:
        """Run the call as a task."""
        self._loop.call_soon_threadsafe(self._start, call)

    def cancel(self, call: Call) -> None:
        """Cancel the task of the call."""
        self._loop.call_soon_threadsafe(self._cancel, call)

    def _start(self, call: Call) -> None:
        arguments = call.arguments
        if arguments is not None:
            call.running_since = time.perf_counter()
            self._tasks[call] = self._loop.create_task(
                self._run(call, arguments), context=self._context.copy()
            )
            if call.arguments is not None:
                return
            self._tasks.pop(call).cancel()  # timed out before the first step, which never runs
        self._scheduler.discard(call)

    def _cancel(self, call: Call) -> None:
        if task := self._tasks.get(call):
            task.cancel()

    async def _run(self, call: Call, arguments: Invocation) -> None:
        function = self._function
        try:
            result: object
            if isinstance(arguments, Rows):
                result = [await function(*values, **named) for values, named in arguments.calls]
            else:
                result = await function(*arguments[0], **arguments[1])
        except BaseException as error:  # noqa: BLE001 - sys.exit() must not end the loop
            self._scheduler.fail(call, error)
        else:
            self._scheduler.complete(call, result, time.perf_counter() - call.running_since)
        finally:
            del self._tasks[call]
