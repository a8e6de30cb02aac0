"""Requests as bytes, including broken ones, and their responses."""

import contextlib
import http.client
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

HANG_SECONDS = 10.0
_SLOW_PIECES = 4
_SLOW_SECONDS = 0.002


class Delivery(Enum):
    """How a request is sent; only complete requests keep the connection."""

    WHOLE = "whole"
    CHUNKED = "chunked"
    SLOW = "slow"
    """Sends pieces with pauses."""
    SHORT = "short"
    """Declares more than it sends, then closes its side."""
    LONG = "long"
    """Sends more than it declares."""
    BROKEN_CHUNKS = "broken chunks"
    GONE = "gone"
    """Does not wait for the response."""
    WRONG_LENGTH = "wrong length"
    """Its Content-Length is not a number."""


BROKEN = frozenset(
    {Delivery.SHORT, Delivery.LONG, Delivery.BROKEN_CHUNKS, Delivery.GONE, Delivery.WRONG_LENGTH}
)


@dataclass(frozen=True)
class Request:
    """A request before it is broken."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    delivery: Delivery = Delivery.WHOLE


class Wire:
    """A connection to the server, reopened after each broken request."""

    def __init__(self, port: int) -> None:
        """Not connected yet."""
        self._port = port
        self._connection: socket.socket | None = None

    def ask(self, request: Request) -> tuple[int, bytes] | None:
        """Return status and body; None if a broken request got no response.

        Raises OSError or HTTPException if a complete request got none, TimeoutError if it hangs.
        """
        connection = self._connection or self._connect()
        self._connection = None
        delivery = request.delivery
        try:
            self._send(connection, request)
            if delivery is Delivery.GONE:
                return None
            status, body, keeps = _read(connection)
        except (ConnectionError, http.client.HTTPException):
            connection.close()
            if delivery in BROKEN:
                return None
            raise
        if keeps and delivery not in BROKEN:
            self._connection = connection
        else:
            connection.close()
        return status, body

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=HANG_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    @staticmethod
    def _send(connection: socket.socket, request: Request) -> None:
        pieces = _pieces(request)
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(_SLOW_SECONDS)
            connection.sendall(piece)
        if request.delivery is Delivery.GONE:
            connection.close()
        elif request.delivery in BROKEN:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)


def _pieces(request: Request) -> Sequence[bytes]:
    body, delivery = request.body, request.delivery
    middle = len(body) // 2
    match delivery:
        case Delivery.CHUNKED:
            length = "Transfer-Encoding: chunked"
            chunks = [part for part in (body[:middle], body[middle:]) if part]
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in chunks) + b"0\r\n\r\n"
        case Delivery.BROKEN_CHUNKS:
            length = "Transfer-Encoding: chunked"
            body = b"%x\r\n%b" % (len(body) + 1, body)
        case Delivery.SHORT:
            length = f"Content-Length: {len(body) + 7}"
        case Delivery.LONG:
            length = f"Content-Length: {middle}"
        case Delivery.WRONG_LENGTH:
            length = f"Content-Length: {len(body)}x"
        case _:
            length = f"Content-Length: {len(body)}"
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    head = f"POST {request.path} HTTP/1.1\r\nHost: bench\r\n{headers}{length}\r\n\r\n"
    request_bytes = head.encode("latin-1") + body
    if delivery is not Delivery.SLOW:
        return [request_bytes]
    size = max(1, len(request_bytes) // _SLOW_PIECES)
    return [request_bytes[at : at + size] for at in range(0, len(request_bytes), size)]


def _read(connection: socket.socket) -> tuple[int, bytes, bool]:
    response = http.client.HTTPResponse(connection)
    try:
        response.begin()
        return response.status, response.read(), not response.will_close
    finally:
        response.close()
