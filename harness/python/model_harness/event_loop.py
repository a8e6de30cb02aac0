"""An asyncio event loop in a thread of its own, for handlers that are `async def`."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

from model_harness.call import Call
from model_harness.calls import Calls
from model_harness.rows import Invocation, Rows


class EventLoop:
    """Runs calls of one function. If it blocks it blocks them all, but not the server."""

    def __init__(self, function: Callable[..., Awaitable[object]], calls: Calls) -> None:
        """Run for as long as the process lives."""
        self._function = function
        self._calls = calls
        self._tasks: dict[Call, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="event loop", daemon=True).start()

    def begin(self, call: Call) -> None:
        """Run it as a task."""
        self._loop.call_soon_threadsafe(self._begin, call)

    def cancel(self, call: Call) -> None:
        """Raise CancelledError where it awaits."""
        self._loop.call_soon_threadsafe(self._cancel, call)

    def _begin(self, call: Call) -> None:
        arguments = call.arguments
        if arguments is not None:
            call.running_since = time.perf_counter()
            self._tasks[call] = self._loop.create_task(self._run(call, arguments))
            if call.arguments is not None:
                return
            self._tasks.pop(call).cancel()  # its time is over before the first step, which is none
        self._calls.forget(call)

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
        except BaseException as error:  # noqa: BLE001 - else sys.exit() would end the loop
            self._calls.fail(call, error)
        else:
            self._calls.answer(call, result, time.perf_counter() - call.running_since)
        finally:
            del self._tasks[call]
