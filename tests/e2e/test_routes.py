"""Weights of routes, and a deleted Pod without failed requests."""

from __future__ import annotations

import time

from tests.support import local_stack
from tests.support.traffic import Stream, answering_versions

REPLACED_SECONDS = 60.0


def test_prod_route_splits_ninety_to_ten() -> None:
    counts = answering_versions("iris", "prod", 500)
    assert counts.keys() == {"v1", "v2"}
    # each of the two Traefiks has a fixed schedule, so the deviation is small
    assert 40 <= counts["v2"] <= 60, counts


def test_label_path_has_split_of_route() -> None:
    counts = answering_versions("iris", "labels/prod", 100)
    assert counts.keys() == {"v1", "v2"}
    assert 4 <= counts["v2"] <= 16, counts


def test_latest_routes_to_highest_version() -> None:
    assert answering_versions("iris", "latest", 20) == {"v3": 20}


def test_version_path_routes_to_single_version() -> None:
    assert answering_versions("iris", "versions/v1", 20) == {"v1": 20}


def test_deleted_pod_is_replaced_without_failed_request(report: list[str]) -> None:
    before = local_stack.pods("iris", "v1")
    assert len(before) == 2
    with Stream("iris", "versions/v1", per_second=20, seconds=15) as stream:
        time.sleep(1)
        local_stack.kubectl("delete", "pod", before[0], "--wait=false")
        deleted = time.monotonic()
    assert len(stream.sent) == 300
    assert sum(sent.at < deleted for sent in stream.sent) >= 10
    assert sum(sent.at > deleted for sent in stream.sent) >= 200
    assert stream.failures() == []
    local_stack.settle(REPLACED_SECONDS)
    after = local_stack.pods("iris", "v1")
    assert len(after) == 2
    assert before[0] not in after
    assert before[1] in after
    report.append(
        f"2 pods again {time.monotonic() - deleted:.0f} s later; 300 requests, no failure"
    )
