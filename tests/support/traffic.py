"""Requests to the local stack's entry point, and a bounded background stream of them."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.support.local_stack import ENTRY_POINT_URL

ANSWER_SECONDS = 30.0
FLOWER = {"sepal_length": 6.0, "sepal_width": 2.7, "petal_length": 5.1, "petal_width": 1.6}
"""Between two species, in cm: here the two versions of iris differ."""


def address(model: str, base: str, entry_point: str = ENTRY_POINT_URL) -> str:
    """`address("iris", "versions/v1")`: where its function is called."""
    return f"{entry_point}/models/{model}/{base}/model"


def call(
    model: str, base: str, data: object = None, entry_point: str = ENTRY_POINT_URL
) -> requests.Response:
    """Call the function by named arguments, on a new connection.

    A connection stays with one Traefik; a new connection may reach the other.
    """
    body = json.dumps({"data": FLOWER if data is None else data})
    return requests.post(
        address(model, base, entry_point),
        data=body,
        headers={"Content-Type": "application/json", "Connection": "close"},
        timeout=ANSWER_SECONDS,
    )


def answering_versions(model: str, base: str, count: int) -> Counter[str]:
    """Which versions answer how many of `count` requests, all of which must succeed."""
    counts: Counter[str] = Counter()
    for _ in range(count):
        answer = call(model, base)
        assert answer.status_code == 200, answer.text
        counts[answer.headers["X-Model-Version"]] += 1
    return counts


@dataclass
class Sent:
    """One request of a stream: when it was sent, and 200 or what went wrong."""

    at: float
    result: int | str


@dataclass
class Stream:
    """`with Stream("iris", "versions/v1", per_second=20, seconds=15) as stream: ...`.

    Leaving the block waits until all is sent. Slow answers delay nothing but their own thread.
    `stop` sends no more than is under way, for a test that knows its end only when it is there.
    """

    model: str
    base: str
    per_second: float
    seconds: float
    data: object = None
    entry_point: str = ENTRY_POINT_URL
    sent: list[Sent] = field(default_factory=list)
    _threads: int = 4
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Stream:
        start = time.monotonic()
        self._workers = [
            threading.Thread(target=self._send, args=(start, place), daemon=True)
            for place in range(self._threads)
        ]
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.stop()
        for worker in self._workers:
            worker.join(self.seconds + 2 * ANSWER_SECONDS)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()

    def _send(self, start: float, place: int) -> None:
        for number in range(place, int(self.per_second * self.seconds), self._threads):
            if self._stopped.wait(max(0.0, start + number / self.per_second - time.monotonic())):
                return
            at = time.monotonic()
            try:
                result: int | str = call(
                    self.model, self.base, self.data, self.entry_point
                ).status_code
            except requests.RequestException as error:
                result = repr(error)
            self.sent.append(Sent(at, result))

    def failures(self) -> list[Sent]:
        """Every request that did not get its answer."""
        return [sent for sent in self.sent if sent.result != 200]


def json_text(value: Any) -> str:
    """A JSON value as text that tells 1 from 1.0 and from true, whatever the order of keys."""
    return json.dumps(value, sort_keys=True)
