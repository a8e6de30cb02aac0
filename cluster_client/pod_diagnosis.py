"""Diagnose why Pods are not ready and why a Deployment is not Available. Pure functions."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from cluster_client.api_types import (
    ContainerStateTerminated,
    ContainerStatus,
    Deployment,
    Pod,
    PodStatus,
)

MAX_MESSAGE_BYTES = 1024
"""The longest message of a problem, and of an event (docs/events.md)."""

_MIN_TERMINATION_MESSAGE_BYTES = 64
"""Kept of a termination message however long the text before it is."""
_BACK_OFF_RESET_SECONDS = 600.0
"""kubelet resets the back-off of a container that ran for this time."""
_CRASH_LOOP_RESTARTS = 2
"""Restarts from which on kubelet delays the next one; the first restart comes at once."""

_IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_STARTING_REASONS = frozenset({"", "ContainerCreating", "PodInitializing"})
_CONTROL_CHARACTERS = {code: "?" for code in (*range(32), 127) if chr(code) not in "\n\t"}
STARTING = "Starting"
"""The reason of a Pod whose containers have not started completely."""
_EVICTED = "Evicted"
_POD_TEMPLATE_HASH = "pod-template-hash"


class PodProblem(msgspec.Struct, frozen=True, gc=False):
    """One thing that keeps a Pod from being ready, or from being created."""

    reason: str
    message: str
    failing: bool
    """Whether it makes the version Failed, not merely late."""
    since: float | None = None
    """For one that fails only after a while: seconds since the epoch when it began."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason


def keep_end(text: str, max_bytes: int = MAX_MESSAGE_BYTES) -> str:
    """Return the last `max_bytes` of `text`: the line of an exception comes last.

    Control characters become `?`: JSON would encode each of them as six bytes.
    """
    text = text.translate(_CONTROL_CHARACTERS)
    data = text.encode()
    if len(data) <= max_bytes:
        return text
    mark = "..."
    return mark + data[len(mark) - max_bytes :].decode(errors="ignore")


def diagnose_replicas(deployment: Deployment) -> str:
    """Return why a Deployment serves nothing whatever its condition Available is; else empty.

    The condition holds for a Deployment without replicas.
    """
    if not deployment.spec.replicas:
        return "it is scaled to 0 replicas"
    if not deployment.status.ready_replicas:
        return f"0 of {deployment.spec.replicas} replicas are ready"
    return ""


def diagnose_deployment(deployment: Deployment, pods: Iterable[Pod]) -> PodProblem | None:
    """Return why a Deployment's newest Pods are not ready, else why it cannot create Pods.

    Pods of an older template are ignored: an evicted Pod remains long after its ReplicaSet.
    """
    remaining = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
    newest = max(remaining, key=_creation, default=None)
    problems = [
        problem
        for pod in sorted(remaining, key=_creation, reverse=True)
        if newest is not None
        and _template_hash(pod) == _template_hash(newest)
        and (problem := diagnose_pod(pod.status)) is not None
    ]
    if problems:
        return max(problems, key=lambda problem: problem.failing)
    refusal = deployment.condition("ReplicaFailure")
    if refusal.status == "True":
        return PodProblem(refusal.reason, keep_end(refusal.message), failing=False)
    return None


def diagnose_pod(status: PodStatus) -> PodProblem | None:
    """Return the most serious problem of a Pod, or None for one that is ready or just starting."""
    if status.is_ready:
        return None
    if status.phase == "Succeeded":
        # kubelet drops the reason of an eviction if all containers exit with code 0
        message = "kubelet ended the Pod, it may be evicted; see kubectl get events"
        return PodProblem("Completed", message, failing=False)
    if status.phase == "Failed" and status.reason:
        # kubelet ended the whole Pod; how its containers ended says nothing more
        if status.reason == _EVICTED:
            return PodProblem(_EVICTED, eviction_message(status.message), failing=True)
        return PodProblem(status.reason, keep_end(status.message.strip()), failing=False)
    problems = [
        problem
        for container in status.init_container_statuses or []
        if (problem := _diagnose_container(container, "init container")) is not None
    ] + [
        problem
        for container in status.container_statuses or []
        if (problem := _diagnose_container(container, "container")) is not None
    ]
    if problems:
        return max(problems, key=lambda problem: problem.failing)
    scheduled = status.condition("PodScheduled")
    if scheduled.status == "False":
        return PodProblem(
            scheduled.reason or "Unschedulable",
            keep_end(scheduled.message),
            failing=True,
            since=epoch_seconds(scheduled.last_transition_time),
        )
    if status.phase == "Failed":
        return PodProblem("PodFailed", keep_end(status.message.strip()), failing=False)
    return None


def eviction_message(text: str) -> str:
    """Return kubelet's message of an eviction, with the key of the stack file that prevents it."""
    text = text.strip()
    if "exceed" in text and ("EmptyDir" in text or "ephemeral" in text):
        text = f"{text.removesuffix('.')}; set temporaryStorage"
    return keep_end(text)


def ended_at(pod: Pod) -> float | None:
    """Return when kubelet ended a whole Pod, in seconds since the epoch; None if it did not."""
    status = pod.status
    if status.phase != "Succeeded" and not (status.phase == "Failed" and status.reason):
        return None
    terminated = (container.state.terminated for container in status.container_statuses or [])
    ends = [epoch_seconds(item.finished_at) for item in terminated if item is not None]
    # a Pod that kubelet refuses has no containers
    created = epoch_seconds(pod.metadata.creation_timestamp)
    return max((end for end in ends if end is not None), default=created)


def _creation(pod: Pod) -> str:
    return pod.metadata.creation_timestamp


def _template_hash(pod: Pod) -> str | None:
    return (pod.metadata.labels or {}).get(_POD_TEMPLATE_HASH)


def _diagnose_container(status: ContainerStatus, kind: str) -> PodProblem | None:
    if status.ready:
        return None
    waiting = status.state.waiting
    if waiting is not None and waiting.reason in _IMAGE_REASONS:
        # kubelet alternates between these two reasons for one problem
        reason = "ErrImagePull" if waiting.reason == "ImagePullBackOff" else waiting.reason
        message = f"cannot pull image {status.image}: {waiting.message}"
        return PodProblem(reason, keep_end(message), failing=True)
    terminated = status.state.terminated or status.last_state.terminated
    if terminated is not None and (terminated.exit_code or status.restart_count):
        return _crash(status, kind, terminated)
    if waiting is not None and waiting.reason not in _STARTING_REASONS:
        message = f"{kind} {status.name} cannot start: {waiting.message}"
        return PodProblem(waiting.reason, keep_end(message), failing=False)
    if waiting is None and status.state.terminated is None:
        return _not_ready(status, kind)
    return None


def _crash(status: ContainerStatus, kind: str, terminated: ContainerStateTerminated) -> PodProblem:
    waiting = status.state.waiting
    in_back_off = waiting is not None and waiting.reason == "CrashLoopBackOff"
    in_loop = in_back_off or _is_crash_loop(status, terminated)
    message = f"{kind} {status.name} exited with code {terminated.exit_code}"
    if terminated.reason:
        message += f" ({terminated.reason})"
    if status.restart_count:
        times = "once" if status.restart_count == 1 else f"{status.restart_count} times"
        message += f", restarted {times}"
    termination_message = terminated.message.strip()
    if termination_message:
        message += "; termination message: "
        room = max(_MIN_TERMINATION_MESSAGE_BYTES, MAX_MESSAGE_BYTES - len(message.encode()))
        message += keep_end(termination_message, room)
    if terminated.reason == "OOMKilled":
        reason = "OOMKilled"
    else:
        reason = "CrashLoopBackOff" if in_loop else "Error"
    return PodProblem(reason, keep_end(message), failing=in_loop)


def _is_crash_loop(status: ContainerStatus, terminated: ContainerStateTerminated) -> bool:
    """Whether it runs between two back-offs: without this a loop would be a state that flaps."""
    if status.restart_count < _CRASH_LOOP_RESTARTS:
        return False
    started = epoch_seconds(terminated.started_at)
    finished = epoch_seconds(terminated.finished_at)
    return started is None or finished is None or finished - started < _BACK_OFF_RESET_SECONDS


def _not_ready(status: ContainerStatus, kind: str) -> PodProblem:
    """Describe a container that runs and is not ready."""
    if kind == "init container" and not status.started:
        return PodProblem(STARTING, f"{kind} {status.name} has not completed", failing=False)
    probe = "readiness" if status.started else "startup"
    message = f"{kind} {status.name} runs, its {probe} probe has not succeeded"
    return PodProblem("ProbeFailing" if status.started else STARTING, message, failing=False)


def epoch_seconds(timestamp: str | None) -> float | None:
    """Convert an RFC 3339 time of the API server."""
    if not timestamp:
        return None
    try:
        return datetime.fromisoformat(timestamp).astimezone(UTC).timestamp()
    except ValueError:
        return None
