"""What is counted, and how Prometheus reads it."""

import os
import threading

import pytest
from model_harness.domino import Domino
from model_harness.errors import RefusedError
from model_harness.exchange import Exchange
from model_harness.identity import HARNESS_ID
from model_harness.metrics import BOUNDS, CELLS, Counters, Exposition
from model_harness.settings import Settings
from model_harness.shared import Board, Line
from prometheus_client.parser import text_string_to_metric_families

SETTINGS = Settings("iris", "v1", "predict:predict")
LABELS = {"model": "iris", "version": "v1"}


def samples(board: Board) -> dict[tuple[str, str], float]:
    """(name, the label that varies): value."""
    found = {}
    text = Exposition(SETTINGS, board).text().decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            more = {k: v for k, v in sample.labels.items() if k not in LABELS}
            assert sample.labels.items() >= LABELS.items()
            found[sample.name, "".join(more.values())] = sample.value
    return found


def test_results_of_all_workers_are_one_histogram() -> None:
    board = Board(2)
    for row, seconds in zip(board.rows, (0.0004, 0.3), strict=True):
        counters = Counters(row.counters)
        counters.answered(seconds)
        counters.answered(1000)
        counters.show()
    found = samples(board)
    name = "model_request_duration_seconds"
    assert found[f"{name}_bucket", "0.0005"] == 1
    assert found[f"{name}_bucket", "0.25"] == 1
    assert found[f"{name}_bucket", "0.5"] == 2
    assert found[f"{name}_bucket", str(BOUNDS[-1])] == 2
    assert found[f"{name}_bucket", "+Inf"] == found[f"{name}_count", ""] == 4
    assert found[f"{name}_sum", ""] == pytest.approx(2000.3004)
    assert found["model_requests_total", "200"] == 4


def test_a_bound_belongs_to_its_bucket() -> None:
    board = Board(1)
    counters = Counters(board.rows[0].counters)
    counters.answered(0.005)
    counters.show()
    assert samples(board)["model_request_duration_seconds_bucket", "0.005"] == 1
    assert samples(board)["model_request_duration_seconds_bucket", "0.0025"] == 0


def test_refusals_have_their_status_and_their_kind() -> None:
    board = Board(1)
    counters = Counters(board.rows[0].counters)
    for status in (400, 404, 413, 401, 429, 429, 503, 504, 500, 500, 418):
        counters.refused(status)
    counters.function_failed()
    counters.show()
    found = samples(board)
    kinds = {kind: n for (name, kind), n in found.items() if name == "model_errors_total"}
    assert kinds == {
        "request": 3,
        "token": 1,
        "busy": 2,
        "not_ready": 1,
        "timeout": 1,
        "function": 1,
        "harness": 2,
    }
    assert (found["model_requests_total", "429"], found["model_requests_total", "other"]) == (2, 1)


def test_nothing_is_seen_before_it_is_shown_and_a_successor_counts_on() -> None:
    board = Board(1)
    counters = Counters(board.rows[0].counters)
    counters.refused(404)
    assert samples(board)["model_errors_total", "request"] == 0
    counters.show()
    board.rows[0].clear()
    successor = Counters(board.rows[0].counters)
    successor.refused(404)
    successor.show()
    assert samples(board)["model_errors_total", "request"] == 2


def test_threads_lose_no_count() -> None:
    board = Board(1)
    counters = Counters(board.rows[0].counters)

    def count() -> None:
        for _ in range(20_000):
            counters.answered(0.1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counters.show()
    assert samples(board)["model_request_duration_seconds_count", ""] == 80_000


class Transport:
    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Nobody reads."""


@pytest.mark.parametrize(("request_id", "counted"), [("A" * 16, 1), (HARNESS_ID, 0)])
def test_the_harnesss_own_questions_are_not_counted(
    monkeypatch: pytest.MonkeyPatch, request_id: str, counted: int
) -> None:
    board = Board(1)
    monkeypatch.setattr(Exchange, "counters", Counters(board.rows[0].counters))
    Exchange(Transport(), request_id, "v1", Domino(SETTINGS)).refuse(RefusedError(404, "no"))
    Exchange.counters.show()
    assert samples(board)["model_errors_total", "request"] == counted


def test_the_board_is_one_for_all_processes_and_its_rows_are_apart() -> None:
    board = Board(3)
    child = os.fork()
    if child == 0:
        row = board.rows[1]
        row.ready, row.heartbeat, row.in_flight = True, 5.5, 7
        row.counters[CELLS - 1] = 9
        os._exit(0)
    os.waitpid(child, 0)
    row = board.rows[1]
    assert (row.ready, row.heartbeat, row.in_flight, row.counters[CELLS - 1]) == (True, 5.5, 7, 9)
    for other in (board.rows[0], board.rows[2]):
        assert not any(other.cells)
    assert board.in_flight() == 7
    row.clear()
    assert (row.ready, row.in_flight, row.counters[CELLS - 1]) == (False, 0, 9)


def test_the_limit_holds_for_all_workers_together() -> None:
    board = Board(2)
    first, second = (Line(board, row) for row in board.rows)
    assert first.enter(2, limit=3)
    assert second.enter(1, limit=3)
    assert not second.enter(2, limit=3)
    second.leave(1)
    assert (first.elsewhere(), second.elsewhere()) == (1, 2)
    first.leave(1)
    assert second.enter(2, limit=3)
