"""Publishes with confirms and `mandatory`: an event counts once durable queues have it.

One lazily opened connection per thread, dropped on any AMQP error and opened again at the next
attempt (dramatiq's way). Nothing is queued here while the broker is away: whoever calls waits.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel

from watcher.errors import BrokerAwayError, FatalError
from watcher.events import CONTENT_TYPE, Event
from watcher.settings import Broker

logger = logging.getLogger(__name__)
THREADS = 4
HEARTBEAT_SECONDS = 10
CONNECT_SECONDS = 5
REFUSED_SECONDS = 10.0
"""How long credentials are refused before they are wrong: a broker that starts may listen before it
has loaded its definitions, and until then knows no user, no virtual host and no rights."""
_REFUSED = (
    pika.exceptions.ProbableAuthenticationError,
    pika.exceptions.AuthenticationError,
    pika.exceptions.ProbableAccessDeniedError,
)

Answer = Callable[[Exception | None], None]


class Refusals:
    """Since when the broker has refused the credentials; what all threads know of it."""

    def __init__(self, patience: float = REFUSED_SECONDS) -> None:
        """`patience`: seconds."""
        self._patience = patience
        self._since: float | None = None

    def told(self, sentence: str) -> BrokerAwayError | FatalError:
        """What to raise for a refusal: worth another attempt, or not any more."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        return (FatalError if now - self._since >= self._patience else BrokerAwayError)(sentence)

    def over(self) -> None:
        """The broker has taken them."""
        self._since = None


class Publisher:
    """A few threads with a connection each; `publish` may be called from many tasks."""

    def __init__(
        self, broker: Broker, threads: int = THREADS, refused_seconds: float = REFUSED_SECONDS
    ) -> None:
        """Nothing is opened before the first event."""
        self._broker = broker
        self._refusals = Refusals(refused_seconds)
        self._jobs: queue.SimpleQueue[tuple[Event | None, Answer] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"publisher-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def publish(self, event: Event) -> None:
        """Return once it is confirmed. Raises BrokerAwayError (try again) or FatalError."""
        await self._do(event)

    async def probe(self) -> None:
        """Log in, so that wrong credentials show at the start. Raises like `publish`."""
        await self._do(None)

    def close(self) -> None:
        """Let the threads end; an event that is being confirmed may come again, as the same."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout=1)

    async def _do(self, event: Event | None) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def answer(error: Exception | None) -> None:
            try:
                loop.call_soon_threadsafe(settle, error)
            except RuntimeError:
                return  # the loop is closed: nobody asks any more

        self._jobs.put((event, answer))
        await done

    def _work(self) -> None:
        line = _Line(self._broker, self._refusals)
        while True:
            try:
                job = self._jobs.get(timeout=HEARTBEAT_SECONDS / 2)
            except queue.Empty:
                line.breathe()
                continue
            if job is None:
                line.drop()
                return
            event, answer = job
            try:
                line.send(event)
            except (BrokerAwayError, FatalError) as error:
                answer(error)
            except Exception as error:
                logger.exception("publishing failed in an unknown way")
                line.drop()
                answer(BrokerAwayError(f"{type(error).__name__}"))
            else:
                answer(None)


class _Line:
    """One thread's connection."""

    def __init__(self, broker: Broker, refusals: Refusals) -> None:
        self._broker = broker
        self._refusals = refusals
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None

    def send(self, event: Event | None) -> None:
        """Publish, or only log in; an idle connection may have died, so a second time if it had."""
        had_one = self._channel is not None
        try:
            self._send(event)
        except BrokerAwayError:
            if not had_one or self._channel is not None:
                raise
            self._send(event)

    def _send(self, event: Event | None) -> None:
        try:
            channel = self._channel or self._open()
            if event is not None:
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
        except _REFUSED as error:
            self.drop()
            raise self._refusals.told(self._refusal()) from error
        except pika.exceptions.UnroutableError as error:
            message = (
                f"no queue is bound to exchange {self._broker.exchange} for {_key(event)}; "
                "the event waits"
            )
            raise BrokerAwayError(message) from error
        except pika.exceptions.NackError as error:
            raise BrokerAwayError("the broker could not store the event (nack)") from error
        except (pika.exceptions.AMQPError, OSError) as error:
            self.drop()
            raise BrokerAwayError(repr(error)) from error

    def breathe(self) -> None:
        """Answer the broker's heartbeats while there is nothing to do."""
        if self._connection is None:
            return
        try:
            self._connection.process_data_events(0)
        except (pika.exceptions.AMQPError, OSError):
            self.drop()

    def drop(self) -> None:
        """Forget the connection, whatever state it is in."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
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
                socket_timeout=CONNECT_SECONDS,
                stack_timeout=2 * CONNECT_SECONDS,
                client_properties={"connection_name": "deployment-watcher"},
            )
        )
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self._refusals.over()
        return self._channel

    def _refusal(self) -> str:
        broker = self._broker
        return (
            f"RabbitMQ at {broker.host}:{broker.port} refuses user {broker.user!r} at virtual host "
            f"{broker.virtual_host!r}; check WATCHER_BROKER_USER, WATCHER_BROKER_PASSWORD and "
            "WATCHER_BROKER_VIRTUAL_HOST"
        )


def _key(event: Event | None) -> str:
    return "" if event is None else event.routing_key
