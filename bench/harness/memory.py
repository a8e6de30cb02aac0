"""Memory growth of the server, and the cost of large and slow bodies."""

import contextlib
import http.client
import socket
import statistics
import threading
from collections.abc import Iterator

from bench.figures import Figure, milliseconds
from bench.harness import plumber, processes, rounds, wrk
from bench.harness.functions import ours
from bench.harness.servers import Server

MIB = 2**20
REQUESTS = 200_000
WARM_REQUESTS = 20_000
GROWTH = 5 * MIB
BODY = 200 * MIB
LIMIT = 10 * MIB
"""Default limit of a body."""
BUFFERS = 2 * MIB
"""Buffers of the server and of a connection beyond those of small requests."""
SLOW_CONNECTIONS = 200
SLOWER = 1.25
"""Largest ratio of the others' p99 and rate, as medians of rounds."""
SLOW_ROUNDS = 10
_PIECE = bytes(64 * 1024)
_REFUSED = 413
_HEAD = b"POST /model HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"


def run(scale: float) -> list[Figure]:
    """Run all cases, each on a new server."""
    requests = max(2 * WARM_REQUESTS, int(REQUESTS * scale))
    return [
        _growth("python", ours("iris"), "iris", requests),
        _growth("r", plumber.ours("noop", 1), "noop", requests),
        *(_large(chunked=chunked) for chunked in (False, True)),
        _slow(max(2, round(SLOW_ROUNDS * scale))),
    ]


def _growth(name: str, server: Server, call: str, requests: int) -> Figure:
    with server:
        _send(server, call, WARM_REQUESTS)
        before = server.resident()
        count = _send(server, call, requests)
        grown = server.resident() - before
    text = (
        f"{grown / MIB:+.1f} MiB over {count} requests of {wrk.CONNECTIONS} clients, on top of "
        f"{before / MIB:.0f}; at most {GROWTH / MIB:g}"
    )
    values = {"grown": grown, "before": before, "requests": count}
    return Figure(f"memory-{name}", grown <= GROWTH, text, values)


def _send(server: Server, call: str, requests: int) -> int:
    count = 0
    while count < requests:
        count += wrk.run(server, server.calls[call], rounds.SECONDS).requests
    return count


def _large(*, chunked: bool) -> Figure:
    name = "chunked" if chunked else "declared"
    with ours("noop") as server:
        wrk.run(server, server.calls["noop"], 1)
        processes.reset_peaks(server.process.pid)
        before = server.resident()
        status = _send_large(server.port, chunked=chunked)
        cost = processes.peak(server.process.pid) - before
        server.check_alive()
    text = (
        f"{BODY / MIB:.0f} MiB cost {cost / MIB:.1f} MiB at the most and get {status}; "
        f"at most {LIMIT / MIB:.0f}, {BUFFERS / MIB:.0f} of buffers, and {_REFUSED}"
    )
    values = {"cost": cost, "status": status}
    holds = cost <= LIMIT + BUFFERS and status == _REFUSED
    return Figure(f"body-{name}", holds, text, values)


def _send_large(port: int, *, chunked: bool) -> int:
    """Send the body as far as it is accepted; return the status."""
    piece = b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE) if chunked else _PIECE
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % BODY
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(_HEAD + length + b"\r\n\r\n")
            for _ in range(BODY // len(_PIECE)):
                connection.sendall(piece)
            connection.sendall(b"0\r\n\r\n" if chunked else b"")
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status


def _slow(count: int) -> Figure:
    """Alternate rounds with and without slow connections."""
    loads: dict[bool, list[wrk.Load]] = {False: [], True: []}
    with ours("noop") as server:
        wrk.run(server, server.calls["noop"], 1)
        for _ in range(count):
            for slow in (False, True):
                with _slow_clients(server.port) if slow else contextlib.nullcontext():
                    load = wrk.run(server, server.calls["noop"], rounds.SECONDS)
                loads[slow].append(load)
    late = rounds.Ratio.of([load.p99 for load in loads[True]], [load.p99 for load in loads[False]])
    rate = rounds.Ratio.of(
        [load.rate for load in loads[False]], [load.rate for load in loads[True]]
    )
    p99, alone = (statistics.median(load.p99 for load in loads[slow]) for slow in (True, False))
    text = (
        f"p99 of the others {milliseconds(p99)} ms with {SLOW_CONNECTIONS} that send a byte a "
        f"second, {milliseconds(alone)} without: {late.median:.2f} times ({late.least:.2f} to "
        f"{late.most:.2f}); their answers take {rate.median:.2f} times as long "
        f"({rate.least:.2f} to {rate.most:.2f}); at most {SLOWER:g}"
    )
    values = {"late": round(late.median, 3), "rate": round(rate.median, 3), "rounds": count}
    return Figure("slow-clients", max(late.median, rate.median) <= SLOWER, text, values)


@contextlib.contextmanager
def _slow_clients(port: int) -> Iterator[None]:
    """Open slow connections, half with a body that Granian collects, half with a larger one."""
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(SLOW_CONNECTIONS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            length = 1000 if number % 2 else 100_000
            client.sendall(_HEAD + b"Content-Length: %d\r\n\r\n" % length)
            clients.append(client)

        def drip() -> None:
            while not stop.wait(1.0):
                for client in clients:
                    client.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        stop.wait(0.5)  # all have started
        try:
            yield
        finally:
            stop.set()
            thread.join()
