"""An AMQP broker that answers everything and confirms messages only on request of the test.

So does a RabbitMQ node whose quorum queue has lost the majority of its nodes.
"""

import contextlib
import socket
import socketserver
import threading

from pika import frame, spec

from watcher.settings import Broker

_HEADER_BYTES = 8


class SilentBroker(socketserver.ThreadingTCPServer):
    """A context manager; `port` is the one it listens on."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.confirms = False
        self.message_ids: list[str] = []
        self.connections = 0
        self.open_connections = 0
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def broker(self) -> Broker:
        return Broker("127.0.0.1", self.server_address[1], "guest", "guest")

    def server_close(self) -> None:
        self.shutdown()
        super().server_close()


class _Session(socketserver.BaseRequestHandler):
    server: SilentBroker
    request: socket.socket

    def handle(self) -> None:
        self.server.connections += 1
        self.server.open_connections += 1
        self._received = self.request.recv(_HEADER_BYTES)[_HEADER_BYTES:]
        self._published = 0
        capabilities = {"publisher_confirms": True, "basic.nack": True}
        properties = {"capabilities": capabilities}
        self._send(0, spec.Connection.Start(0, 9, properties, b"PLAIN", b"en_US"))
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self._received += data
                self._answer_all()
        self.server.open_connections -= 1

    def _answer_all(self) -> None:
        while True:
            used, item = frame.decode_frame(self._received)
            if item is None:
                return
            self._received = self._received[used:]
            if isinstance(item, frame.Method):
                self._answer(item.channel_number, item.method)
            elif isinstance(item, frame.Header):
                self._on_message(item.channel_number, item.properties.message_id)

    def _answer(self, channel: int, method: object) -> None:
        answers = {
            spec.Connection.StartOk: spec.Connection.Tune(10, 131072, 10),
            spec.Connection.Open: spec.Connection.OpenOk(),
            spec.Channel.Open: spec.Channel.OpenOk(),
            spec.Confirm.Select: spec.Confirm.SelectOk(),
            spec.Channel.Close: spec.Channel.CloseOk(),
            spec.Connection.Close: spec.Connection.CloseOk(),
        }
        if type(method) in answers:
            self._send(channel, answers[type(method)])

    def _on_message(self, channel: int, message_id: str) -> None:
        self.server.message_ids.append(message_id)
        self._published += 1
        if self.server.confirms:
            self._send(channel, spec.Basic.Ack(self._published))

    def _send(self, channel: int, method: object) -> None:
        self.request.sendall(frame.Method(channel, method).marshal())
