"""The state of a version and its transitions."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_client.pod_diagnosis import MAX_MESSAGE_BYTES
from tests.support import watcher_objects
from watcher import resources
from watcher.inventory import Inventory
from watcher.resources import VersionKey
from watcher.transitions import LastReported, State, VersionStatus, diff

KEY = VersionKey("iris", "v1")
SCHEDULED_AT = 1795383016.0  # 2026-11-22T21:30:16Z
LATER = SCHEDULED_AT + 3600


def inventory(*items: watcher_objects.Object) -> Inventory:
    result = Inventory()
    for item in items:
        data = msgspec.json.encode(item)
        parse = resources.parse_pod if item["kind"] == "Pod" else resources.parse_deployment
        parsed = parse(data)
        assert parsed is not None
        result.apply(parsed, deleted=False)
    return result


def status_of(*items: watcher_objects.Object, now: float = LATER) -> VersionStatus:
    status = inventory(*items).status(KEY, now)
    assert status is not None
    return status


def unschedulable() -> watcher_objects.Object:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu",
        "lastTransitionTime": "2026-11-22T21:30:16Z",
    }
    return watcher_objects.pod(conditions=[condition])


def test_new_deployment_is_progressing() -> None:
    assert status_of(watcher_objects.deployment()).state is State.PROGRESSING


def test_available_takes_precedence_over_pod_problems() -> None:
    status = status_of(
        watcher_objects.deployment(available=True, ready=1), watcher_objects.crash_looping()
    )
    assert (status.state, status.reason, status.message) == (State.AVAILABLE, "", "")


def test_version_scaled_to_zero_is_not_available() -> None:
    idle = watcher_objects.deployment(
        available=True, progressing="NewReplicaSetAvailable", replicas=0
    )
    status = status_of(idle)
    assert (status.state, status.reason) == (State.PROGRESSING, "ScaledToZero")
    assert status.message == "it is scaled to 0 replicas"
    # what an earlier Pod left behind is not the reason
    assert status_of(idle, watcher_objects.crash_looping()).reason == "ScaledToZero"


def test_available_version_becomes_unavailable_when_scaled_to_zero_and_while_scaled_up() -> None:
    versions = inventory(watcher_objects.deployment(available=True))
    for replicas, reason in ((0, "ScaledToZero"), (2, "NoReadyReplicas")):
        # the condition stays True, or is not updated yet
        item = watcher_objects.deployment(available=True, replicas=replicas, ready=0)
        changed = resources.parse_deployment(msgspec.json.encode(item))
        assert changed is not None
        versions.apply(changed, deleted=False)
        status = versions.status(KEY, LATER)
        assert status is not None
        assert (status.state, status.reason) == (State.UNAVAILABLE, reason)
    assert status.message == "0 of 2 replicas are ready"


def test_crash_loop_is_failed_with_exit_code_and_termination_message() -> None:
    status = status_of(watcher_objects.deployment(available=False), watcher_objects.crash_looping())
    assert (status.state, status.reason) == (State.FAILED, "CrashLoopBackOff")
    assert status.message == (
        "container model exited with code 3 (Error), restarted 2 times; "
        "termination message: no such file: model.pkl"
    )


@pytest.mark.parametrize(
    ("container", "state"),
    [
        # the first crash: kubelet starts it again at once
        (watcher_objects.container(terminated=watcher_objects.crashed()), State.PROGRESSING),
        (watcher_objects.container(last=watcher_objects.crashed(), restarts=1), State.PROGRESSING),
        # it runs between two back-offs: the same loop
        (watcher_objects.container(last=watcher_objects.crashed(), restarts=2), State.FAILED),
        (watcher_objects.container(terminated=watcher_objects.crashed(), restarts=2), State.FAILED),
        # it ran for an hour in between: a crash, no loop
        (
            watcher_objects.container(
                last=watcher_objects.crashed(finishedAt="2026-11-22T22:30:18Z"), restarts=2
            ),
            State.PROGRESSING,
        ),
    ],
)
def test_crash_loop_stays_in_one_state_between_restarts(
    container: watcher_objects.Object, state: State
) -> None:
    status = status_of(
        watcher_objects.deployment(available=False), watcher_objects.pod(containers=[container])
    )
    assert status.state is state
    assert "exited with code 3" in status.message


def test_out_of_memory_has_separate_reason() -> None:
    dead = watcher_objects.container(
        waiting={"reason": "CrashLoopBackOff"},
        last=watcher_objects.crashed(137, "", reason="OOMKilled"),
        restarts=3,
    )
    status = status_of(
        watcher_objects.deployment(available=False), watcher_objects.pod(containers=[dead])
    )
    assert (status.state, status.reason) == (State.FAILED, "OOMKilled")
    assert "exited with code 137 (OOMKilled)" in status.message


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_image_pull_error_is_failed_with_one_reason(reason: str) -> None:
    waiting = {"reason": reason, "message": "not found"}
    status = status_of(
        watcher_objects.deployment(available=False),
        watcher_objects.pod(containers=[watcher_objects.container(waiting=waiting)]),
    )
    assert (status.state, status.reason) == (State.FAILED, "ErrImagePull")
    assert status.message == "cannot pull image r/iris@sha256:1: not found"


def test_unschedulable_pod_fails_after_thirty_seconds_and_is_rechecked() -> None:
    declared = watcher_objects.deployment(available=False)
    early, late = SCHEDULED_AT + 29.9, SCHEDULED_AT + 30.0
    assert status_of(declared, unschedulable(), now=early).state is State.PROGRESSING
    assert status_of(declared, unschedulable(), now=late).state is State.FAILED
    assert status_of(declared, unschedulable(), now=late).reason == "Unschedulable"
    assert inventory(declared, unschedulable()).recheck_at(KEY, early) == late
    assert inventory(declared, unschedulable()).recheck_at(KEY, late) is None


def test_exceeded_deadline_is_failed_with_reason_of_pod() -> None:
    overdue = watcher_objects.deployment(
        available=False, progressing="ProgressDeadlineExceeded", message="timed out progressing"
    )
    assert status_of(overdue).reason == "ProgressDeadlineExceeded"
    probing = watcher_objects.pod(containers=[watcher_objects.container(started=True)])
    status = status_of(overdue, probing)
    assert (status.state, status.reason) == (State.FAILED, "ProbeFailing")
    assert status.message.startswith("timed out progressing container model runs")


def test_exceeded_deadline_is_failed_with_reason_of_quota() -> None:
    quota = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no"}
    overdue = watcher_objects.deployment(
        available=False, progressing="ProgressDeadlineExceeded", message="timed out progressing"
    )
    overdue["status"]["conditions"].append(quota)  # type: ignore[index]
    status = status_of(overdue)
    assert (status.state, status.reason) == (State.FAILED, "ReplicaFailure")
    assert status.message == "timed out progressing no"


TMP_IS_FULL = 'Usage of EmptyDir volume "tmp" exceeds the limit "128Mi". '


def evicted(phase: str = "Failed", code: int = 137) -> watcher_objects.Object:
    """Build a Pod that ended at 21:30:19; kubelet drops the reason after exit code 0."""
    item = watcher_objects.pod(
        containers=[watcher_objects.container(terminated=watcher_objects.crashed(code))],
        phase=phase,
    )
    if phase == "Failed":
        item["status"] |= {"reason": "Evicted", "message": TMP_IS_FULL}  # type: ignore[operator]
    return item


def test_evicted_pod_is_failed_with_message_until_its_replacement_runs() -> None:
    declared = watcher_objects.deployment(available=False)
    status = status_of(declared, evicted())
    assert (status.state, status.reason) == (State.FAILED, "Evicted")
    assert status.message == (
        'Usage of EmptyDir volume "tmp" exceeds the limit "128Mi"; set temporaryStorage'
    )
    created = "2026-11-22T21:30:20Z"
    for containers in ([], [watcher_objects.container(started=False)]):
        replacement = watcher_objects.pod(name="next", created=created, containers=containers)
        assert status_of(declared, evicted(), replacement) == status
    running = watcher_objects.container(started=True)
    replacement = watcher_objects.pod(name="next", created=created, containers=[running])
    assert status_of(declared, evicted(), replacement).reason == "ProbeFailing"


def test_earlier_eviction_is_not_reason_of_later_pod() -> None:
    later = watcher_objects.pod(name="next", created="2026-11-22T22:30:20Z")
    status = status_of(watcher_objects.deployment(available=False), evicted(), later)
    assert (status.state, status.reason) == (State.PROGRESSING, "")
    ready = [{"type": "Ready", "status": "True"}]
    ready_pod = watcher_objects.pod(name="next", created="2026-11-22T21:30:20Z", conditions=ready)
    status = status_of(watcher_objects.deployment(available=False), evicted(), ready_pod)
    assert (status.state, status.reason) == (State.PROGRESSING, "")


def test_pod_that_kubelet_ended_with_exit_code_zero_gives_reason() -> None:
    replacement = watcher_objects.pod(name="next", created="2026-11-22T21:30:20Z")
    status = status_of(
        watcher_objects.deployment(available=False), evicted("Succeeded", 0), replacement
    )
    assert (status.state, status.reason) == (State.PROGRESSING, "Completed")


def test_once_available_version_is_unavailable_with_reason() -> None:
    status = status_of(
        watcher_objects.deployment(available=False, progressing="NewReplicaSetAvailable"),
        watcher_objects.pod(containers=[watcher_objects.container(started=True)]),
    )
    assert (status.state, status.reason) == (State.UNAVAILABLE, "ProbeFailing")


def test_newest_pod_that_is_not_terminating_gives_reason() -> None:
    declared = watcher_objects.deployment(available=False)
    old = watcher_objects.crash_looping(name="old", created="2026-11-22T21:00:00Z")
    new = watcher_objects.pod(name="new", containers=[watcher_objects.container(started=False)])
    leaving = watcher_objects.crash_looping(
        name="leaving", created="2026-11-22T22:00:00Z", deleted="2026-11-22T22:00:01Z"
    )
    assert status_of(declared, old, new, leaving).reason == "Starting"
    assert status_of(declared, old, leaving).reason == "CrashLoopBackOff"


def test_long_message_is_cut_to_one_kibibyte_at_its_start() -> None:
    text = "ä" * 3000 + " the end"
    dead = watcher_objects.container(
        waiting={"reason": "CrashLoopBackOff"}, last=watcher_objects.crashed(1, text), restarts=2
    )
    status = status_of(
        watcher_objects.deployment(available=False), watcher_objects.pod(containers=[dead])
    )
    assert len(status.message.encode()) <= MAX_MESSAGE_BYTES
    assert status.message.endswith(" the end")
    assert "exited with code 1 (Error)" in status.message


def test_diff_is_empty_for_same_state() -> None:
    last = LastReported("uid-1", State.FAILED)
    assert diff(last, VersionStatus("uid-1", State.FAILED, reason="other")) == []


def test_diff_reports_deletion_before_recreated_deployment() -> None:
    new = VersionStatus("uid-2", State.PROGRESSING)
    transitions = diff(LastReported("uid-1", State.AVAILABLE, "image"), new)
    assert transitions == [VersionStatus("uid-1", State.DELETED, image="image"), new]
    assert diff(LastReported("uid-1", State.DELETED), new) == [new]


def test_diff_reports_deletion_once() -> None:
    assert [status.state for status in diff(LastReported("uid-1", State.FAILED), None)] == [
        State.DELETED
    ]
    assert diff(LastReported("uid-1", State.DELETED), None) == []
    assert diff(None, None) == []


STATES = st.sampled_from([state for state in State if state is not State.DELETED])
STATUSES = st.none() | st.builds(VersionStatus, st.sampled_from(["a", "b"]), STATES)


@given(st.lists(STATUSES, max_size=12))
def test_diff_reports_every_change_and_no_repetition(
    statuses: list[VersionStatus | None],
) -> None:
    last: LastReported | None = None
    transitions: list[VersionStatus] = []
    for status in statuses:
        for item in diff(last, status):
            last = LastReported(item.uid, item.state, item.image)
            transitions.append(item)
        if status is None:
            assert last is None or last.state is State.DELETED
        else:
            assert last == LastReported(status.uid, status.state, status.image)
    for earlier, later in pairwise(transitions):
        assert (earlier.uid, earlier.state) != (later.uid, later.state)
        assert earlier.uid == later.uid or earlier.state is State.DELETED
