"""Compute a version's state and its transitions. Pure: no clock, no network.

The state is the first that matches: Deleted, Available, Failed, Unavailable, Progressing
(docs/events.md).
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from cluster_client.pod_diagnosis import STARTING, PodProblem, epoch_seconds, keep_end
from watcher.resources import Deployment, Pod

UNSCHEDULABLE_SECONDS = 30.0
"""Time for a node to start or get free capacity; after it the version is Failed."""
_REPLACED_SECONDS = 60.0
"""A Pod that is created within this time after the end of another one is its replacement."""


class State(StrEnum):
    """The spelling of events and of the status; routing keys use lower case."""

    DELETED = "Deleted"
    AVAILABLE = "Available"
    FAILED = "Failed"
    UNAVAILABLE = "Unavailable"
    PROGRESSING = "Progressing"


class VersionStatus(msgspec.Struct, frozen=True, gc=False):
    """The status of a version at a moment."""

    uid: str
    state: State
    reason: str = ""
    message: str = ""
    desired: int = 0
    ready: int = 0
    image: str = ""


class LastReported(msgspec.Struct, frozen=True, gc=False):
    """The state in the last event of a version."""

    uid: str
    state: State
    image: str = ""


def newest_pod(pods: Iterable[Pod]) -> Pod | None:
    """Return the Pod that determines a version's reason, or None.

    It is the newest Pod that is not terminating; among Pods of the same age, one with a problem.
    """
    active = [pod for pod in pods if not pod.terminating]
    return max(active, key=_rank, default=None)


def _rank(pod: Pod) -> tuple[str, bool, bool, str]:
    failing = pod.problem is not None and pod.problem.failing
    return pod.created, failing, pod.problem is not None, pod.name


def version_status(
    deployment: Deployment, pods: Iterable[Pod], was_available: bool, now: float
) -> VersionStatus:
    """Return a version's status; `was_available`: the Deployment was ever Available."""
    if deployment.available:
        return _status(deployment, State.AVAILABLE, "", "")
    unavailable = State.UNAVAILABLE if was_available else State.PROGRESSING
    if not deployment.desired:
        return _status(deployment, unavailable, "ScaledToZero", deployment.hindrance)
    problem = _problem(list(pods))
    reason, message = ("", "") if problem is None else (problem.reason, problem.message)
    if problem is not None and _has_failed(problem, now):
        return _status(deployment, State.FAILED, reason, message)
    if not reason and deployment.replica_failure:
        reason, message = "ReplicaFailure", keep_end(deployment.replica_failure)
    if deployment.deadline_message:
        message = keep_end(f"{deployment.deadline_message} {message}".strip())
        return _status(deployment, State.FAILED, reason or "ProgressDeadlineExceeded", message)
    if not reason and deployment.hindrance:
        reason, message = "NoReadyReplicas", deployment.hindrance
    return _status(deployment, unavailable, reason, message)


def _problem(pods: list[Pod]) -> PodProblem | None:
    """Return the problem of the newest Pod; while it starts, why the Pod it replaces ended.

    Otherwise a version whose Pods are evicted again and again would hardly ever show it.
    """
    newest = newest_pod(pods)
    if newest is None or newest.ready:
        return None
    if newest.problem is not None and newest.problem.reason != STARTING:
        return newest.problem
    created = epoch_seconds(newest.created) or 0.0
    ended = [
        pod
        for pod in pods
        if not pod.terminating
        and pod.ended_at is not None
        and created - pod.ended_at <= _REPLACED_SECONDS
    ]
    replaced = max(ended, key=_rank, default=newest)
    return replaced.problem


def _status(deployment: Deployment, state: State, reason: str, message: str) -> VersionStatus:
    return VersionStatus(
        uid=deployment.uid,
        state=state,
        reason=reason,
        message=message,
        desired=deployment.desired,
        ready=deployment.ready,
        image=deployment.image,
    )


def _has_failed(problem: PodProblem, now: float) -> bool:
    if not problem.failing:
        return False
    return problem.since is None or now - problem.since >= UNSCHEDULABLE_SECONDS


def recheck_at(pods: Iterable[Pod], now: float) -> float | None:
    """Return when an unschedulable Pod makes the version Failed, if that is in the future."""
    pod = newest_pod(pods)
    if pod is None or pod.problem is None or pod.problem.since is None:
        return None
    moment = pod.problem.since + UNSCHEDULABLE_SECONDS
    return moment if moment > now else None


def diff(old: LastReported | None, new: VersionStatus | None) -> list[VersionStatus]:
    """Return the transitions from `old` to `new`; a `new` of None means deleted.

    A Deployment recreated under the same name is a new one: the deletion of the old one comes
    first.
    """
    transitions = []
    existed = old is not None and old.state is not State.DELETED
    if old is not None and existed and (new is None or new.uid != old.uid):
        transitions.append(VersionStatus(uid=old.uid, state=State.DELETED, image=old.image))
    if new is not None and (old is None or new.uid != old.uid or new.state is not old.state):
        transitions.append(new)
    return transitions
