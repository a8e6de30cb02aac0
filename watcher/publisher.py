"""Publish events with confirms and `mandatory`: an event counts when durable queues have it.

Each thread opens a connection on first use, closes it on an AMQP error and opens a new one at the
next attempt (like dramatiq). Nothing is queued here while the broker is unavailable: the caller
waits.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel

from watcher.errors import BrokerUnavailableError, FatalError
from watcher.events import CONTENT_TYPE, Event
from watcher.settings import Broker

logger = logging.getLogger(__name__)
THREADS = 4
HEARTBEAT_SECONDS = 10
CONNECT_TIMEOUT_SECONDS = 5
CONFIRM_TIMEOUT_SECONDS = 10.0
"""Time for an answer of the broker. A quorum queue without its majority confirms nothing, although
its node answers heartbeats."""
AUTH_GRACE_SECONDS = 10.0
"""Time until refused credentials are fatal: a starting broker may listen before it has loaded its
definitions, and until then knows no users, virtual hosts or permissions."""
_AUTH_ERRORS = (
    pika.exceptions.ProbableAuthenticationError,
    pika.exceptions.AuthenticationError,
    pika.exceptions.ProbableAccessDeniedError,
)

Callback = Callable[[Exception | None], None]


class ConfirmTimeoutError(BrokerUnavailableError):
    """Raised when the broker is connected and does not answer in time."""


class AuthFailures:
    """Track since when the broker refuses the credentials; shared by all threads."""

    def __init__(self, grace_seconds: float = AUTH_GRACE_SECONDS) -> None:
        self._grace_seconds = grace_seconds
        self._since: float | None = None

    def error_for(self, message: str) -> BrokerUnavailableError | FatalError:
        """Return the error to raise: retryable within the grace period, then fatal."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        expired = now - self._since >= self._grace_seconds
        return (FatalError if expired else BrokerUnavailableError)(message)

    def reset(self) -> None:
        """Record that the broker has accepted the credentials."""
        self._since = None


class Publisher:
    """Publish from a few threads with a connection each; many tasks may call `publish`."""

    def __init__(
        self,
        broker: Broker,
        threads: int = THREADS,
        auth_grace_seconds: float = AUTH_GRACE_SECONDS,
        confirm_seconds: float = CONFIRM_TIMEOUT_SECONDS,
    ) -> None:
        self._broker = broker
        self._confirm_seconds = confirm_seconds
        self._auth_failures = AuthFailures(auth_grace_seconds)
        self._jobs: queue.SimpleQueue[tuple[Event | None, Callback] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run_thread, name=f"publisher-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def publish(self, event: Event) -> None:
        """Return after the confirmation. Raises BrokerUnavailableError (retry) or FatalError."""
        await self._submit(event)

    async def probe(self) -> None:
        """Log in, so that wrong credentials are detected at the start. Raises like `publish`."""
        await self._submit(None)

    def close(self) -> None:
        """Stop the threads; an unconfirmed event may be published again with the same id."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout=1)

    async def _submit(self, event: Event | None) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def callback(error: Exception | None) -> None:
            try:
                loop.call_soon_threadsafe(settle, error)
            except RuntimeError:
                return  # the loop is closed: no task waits for the result

        self._jobs.put((event, callback))
        await done

    def _run_thread(self) -> None:
        connection = _Connection(self._broker, self._auth_failures, self._confirm_seconds)
        while True:
            try:
                job = self._jobs.get(timeout=HEARTBEAT_SECONDS / 2)
            except queue.Empty:
                connection.process_heartbeats()
                continue
            if job is None:
                connection.close()
                return
            event, callback = job
            try:
                connection.send(event)
            except (BrokerUnavailableError, FatalError) as error:
                callback(error)
            except Exception as error:
                logger.exception("publish failed: unexpected error")
                connection.close()
                callback(BrokerUnavailableError(f"{type(error).__name__}"))
            else:
                callback(None)


class _Connection:
    """One thread's connection to the broker, opened on first use."""

    def __init__(self, broker: Broker, auth_failures: AuthFailures, confirm_seconds: float) -> None:
        self._broker = broker
        self._auth_failures = auth_failures
        self._confirm_seconds = confirm_seconds
        self._timed_out = False
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None

    def send(self, event: Event | None) -> None:
        """Publish an event, or only log in; retry once if an idle connection had died."""
        was_open = self._channel is not None
        try:
            self._send(event)
        except ConfirmTimeoutError:
            raise
        except BrokerUnavailableError:
            if not was_open or self._channel is not None:
                raise
            self._send(event)

    def _send(self, event: Event | None) -> None:
        self._timed_out = False
        try:
            channel = self._channel or self._open()
            if event is not None:
                self._publish(channel, event)
        except _AUTH_ERRORS as error:
            self.close()
            raise self._auth_failures.error_for(self._auth_message()) from error
        except pika.exceptions.UnroutableError as error:
            routing_key = "" if event is None else event.routing_key
            message = (
                f"no queue is bound to exchange {self._broker.exchange} for {routing_key}; "
                "the event is stored until one is bound"
            )
            raise BrokerUnavailableError(message) from error
        except pika.exceptions.NackError as error:
            raise BrokerUnavailableError("the broker could not store the event (nack)") from error
        except (pika.exceptions.AMQPError, OSError) as error:
            self.close()
            if self._timed_out:
                message = (
                    f"no confirmation within {self._confirm_seconds:.0f} s; a quorum queue needs "
                    "the majority of its nodes"
                )
                raise ConfirmTimeoutError(message) from error
            raise BrokerUnavailableError(repr(error)) from error

    def _publish(self, channel: BlockingChannel, event: Event) -> None:
        with self._time_limit(channel.connection):
            channel.basic_publish(
                exchange=self._broker.exchange,
                routing_key=event.routing_key,
                body=event.body,
                properties=pika.BasicProperties(
                    content_type=CONTENT_TYPE,
                    delivery_mode=pika.DeliveryMode.Persistent,
                    message_id=event.id,
                ),
                mandatory=True,
            )

    @contextlib.contextmanager
    def _time_limit(self, connection: pika.BlockingConnection) -> Iterator[None]:
        """End the connection if the block takes too long; the block then raises AMQPError.

        pika waits for answers without a limit, and its public timers do not run meanwhile. This
        ends the stream as pika itself does after missed heartbeats.
        """
        inner = connection._impl

        def expire() -> None:
            self._timed_out = True
            error = pika.exceptions.AMQPConnectionError("no answer in time")
            inner._terminate_stream(error)

        timer = inner.ioloop.call_later(self._confirm_seconds, expire)
        try:
            yield
        finally:
            inner.ioloop.remove_timeout(timer)

    def process_heartbeats(self) -> None:
        """Answer the broker's heartbeats on an idle connection."""
        if self._connection is None:
            return
        try:
            self._connection.process_data_events(0)
        except (pika.exceptions.AMQPError, OSError):
            self.close()

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
                with self._time_limit(connection):
                    connection.close()
            except (pika.exceptions.AMQPError, OSError):
                return

    def _open(self) -> BlockingChannel:
        broker = self._broker
        self._connection = pika.BlockingConnection(
            pika.ConnectionParameters(
                host=broker.host,
                port=broker.port,
                virtual_host=broker.virtual_host,
                credentials=pika.PlainCredentials(broker.user, broker.password),
                heartbeat=HEARTBEAT_SECONDS,
                blocked_connection_timeout=2 * HEARTBEAT_SECONDS,
                socket_timeout=CONNECT_TIMEOUT_SECONDS,
                stack_timeout=2 * CONNECT_TIMEOUT_SECONDS,
                client_properties={"connection_name": "deployment-watcher"},
            )
        )
        with self._time_limit(self._connection):
            channel = self._connection.channel()
            channel.confirm_delivery()
        self._channel = channel
        self._auth_failures.reset()
        return channel

    def _auth_message(self) -> str:
        broker = self._broker
        return (
            f"RabbitMQ at {broker.host}:{broker.port} refuses user {broker.user!r} at virtual host "
            f"{broker.virtual_host!r}; check WATCHER_BROKER_USER, WATCHER_BROKER_PASSWORD and "
            "WATCHER_BROKER_VIRTUAL_HOST"
        )
