"""Malformed requests over HTTP: the harness must stay alive and never call the function with them.

The function raises for a malformed call, which shows as a 500. The strategies are those of the unit
tests; here they are sent over HTTP, some of them truncated.
"""

import http.client
import json
import math
from collections import Counter

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bench.figures import Figure
from bench.harness.servers import ROOT, Server, harness
from bench.harness.wire import Delivery, Request, Wire
from tests.support.malformed import HOSTILE, INFERENCES, TABLES, mutated

REQUESTS = 100_000
"""Requests per protocol."""
GROWTH = 10 * 2**20
_BATCH = 2000
"""Examples per batch: hypothesis keeps all examples of a batch in memory."""
_FUNCTIONS = (
    ("model_harness", "by_value"),
    ("model_harness", "by_column"),
    ("model_harness_r", "by_value"),
)
_PATHS = {"domino": "/model", "mlflow": "/invocations", "v2": "/v2/models/iris/infer"}
_REFUSALS = frozenset({400, 404, 405, 413, 415})
_OK = 200
_JSON = "application/json"
_ONE_IN = 10


class HarnessFailedError(AssertionError):
    """Raised for a wrong answer; hypothesis then searches for the smallest such request."""


def run(scale: float) -> list[Figure]:
    """Send the requests of each protocol, equally many to each function."""
    return [_figure(protocol, max(1000, int(REQUESTS * scale))) for protocol in _PATHS]


def _figure(protocol: str, count: int) -> Figure:
    statuses: Counter[str] = Counter()
    grown, failure = 0, ""
    for package, function in _FUNCTIONS:
        with _served(package, function) as server:
            server.await_ready()
            wire, before, number = Wire(server.port), 0, 0
            share = math.ceil(count / len(_FUNCTIONS))
            goal = statuses.total() + share
            try:
                while statuses.total() < goal:
                    _batch(protocol, wire, number, min(_BATCH, goal - statuses.total()), statuses)
                    if (
                        goal - statuses.total() <= share // 2
                    ):  # R's heap has reached its size by then
                        before = before or server.resident()
                    number += 1
            except HarnessFailedError as error:
                failure = f"; {package} {function}: {error}"
            wire.close()
            server.check_alive()
            grown = max(grown, server.resident() - (before or server.resident()))
    by_status = ", ".join(f"{status} {count}" for status, count in statuses.most_common())
    text = f"{statuses.total()} requests: {by_status}; memory {grown / 2**20:+.1f} MiB{failure}"
    holds = not failure and grown <= GROWTH
    values = {"requests": statuses.total(), "grown": grown, "failure": failure, **statuses}
    return Figure(f"fuzz-{protocol}", holds, text, values)


def _served(package: str, function: str) -> Server:
    limits = {"MODEL_NAME": "iris", "MODEL_BODY_BYTES": "10000"}
    handler = f"fuzzed:{function}"
    folder = ROOT / "tests/support"
    return harness("harness", folder, handler, {}, settings=limits, package=package)


def _batch(protocol: str, wire: Wire, number: int, count: int, statuses: Counter[str]) -> None:
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
    )
    @seed(number)
    @given(_requests(protocol))
    def send(request: Request) -> None:
        statuses[_answer(wire, request)] += 1

    send()


def _answer(wire: Wire, request: Request) -> str:
    try:
        answer = wire.ask(request)
    except (OSError, http.client.HTTPException) as error:
        raise HarnessFailedError(f"{error!r} to {request}") from error
    if answer is None:
        return "no answer to a broken one"
    status, body = answer
    if status != _OK and status not in _REFUSALS:
        raise HarnessFailedError(f"{status} {body[:200]!r} to {request}")
    return str(status)


@st.composite
def _requests(draw: st.DrawFn, protocol: str) -> Request:
    body, headers = _inference(draw) if protocol == "v2" else (_table(draw), {})
    if draw(st.integers(0, _ONE_IN)) == 1:
        body = draw(st.sampled_from(HOSTILE))
    if draw(st.integers(0, _ONE_IN)) == 1:
        body = _torn(draw, body)
    kind = draw(st.sampled_from([_JSON] * _ONE_IN + ["text/plain", "application/json; charset=x"]))
    headers = {"Content-Type": kind, **headers}
    if draw(st.integers(0, 5 * _ONE_IN)) == 1:
        headers["Content-Encoding"] = draw(st.sampled_from(["gzip", "identity", ""]))
    delivery = draw(st.sampled_from([Delivery.WHOLE] * _ONE_IN + list(Delivery)))
    return Request(_PATHS[protocol], headers, body, delivery)


def _table(draw: st.DrawFn) -> bytes:
    return json.dumps(draw(mutated(TABLES))).encode()


def _inference(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    good, binary = draw(st.sampled_from(INFERENCES))
    content = json.dumps(draw(mutated([good]))).encode()
    if not binary:
        return content, {}
    if draw(st.integers(0, _ONE_IN)) == 1:
        binary = draw(st.binary(max_size=20))
    length = len(content) + draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
    return content + binary, {"Inference-Header-Content-Length": str(length)}


def _torn(draw: st.DrawFn, body: bytes) -> bytes:
    """Truncate a body, or replace bytes in its middle."""
    at = draw(st.integers(0, len(body)))
    return body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 3)) :]
