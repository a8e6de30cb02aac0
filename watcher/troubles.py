"""Why a Pod is not ready, from its own status. Pure."""

from datetime import UTC, datetime

import msgspec

from watcher import raw

MESSAGE_BYTES = 1024
"""The longest message of an event (contract, section 5)."""
UNSCHEDULABLE_SECONDS = 30.0
"""A node may get room, or come up; after this the version has failed."""
_LEAST_WORDS = 64
"""Bytes of last words that are kept however long the rest is."""
_CALM_SECONDS = 600.0
"""A container that ran so long starts its back-off anew: kubelet's own rule."""
_LOOP = 2
"""Restarts from which on kubelet has made a container wait: the first one comes at once."""

_IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
_STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """One thing that keeps a Pod from being ready."""

    reason: str
    message: str
    failing: bool
    """Whether it makes the version Failed, not merely late."""
    since: float | None = None
    """For one that fails only after a while: seconds since the epoch when it began."""


def shortened(text: str, longest: int = MESSAGE_BYTES) -> str:
    """The end of `text`, at most so many bytes: of last words the last count."""
    data = text.encode()
    if len(data) <= longest:
        return text
    mark = "..."
    return mark + data[len(mark) - longest :].decode(errors="ignore")


def seconds(moment: str | None) -> float | None:
    """An RFC 3339 time of the API server, as seconds since the epoch."""
    if not moment:
        return None
    try:
        return datetime.fromisoformat(moment).astimezone(UTC).timestamp()
    except ValueError:
        return None


def of_pod(status: raw.PodStatus) -> Trouble | None:
    """The worst that is wrong with it, or None for a Pod that is ready."""
    conditions = {one.type: one for one in status.conditions or []}
    ready = conditions.get("Ready")
    if status.phase == "Succeeded" or (ready is not None and ready.status == "True"):
        return None
    containers = [*(status.init_container_statuses or []), *(status.container_statuses or [])]
    found = [trouble for one in containers if (trouble := _of_container(one)) is not None]
    if found:
        return max(found, key=lambda trouble: trouble.failing)
    scheduled = conditions.get("PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        return Trouble(
            scheduled.reason or "Unschedulable",
            shortened(scheduled.message),
            failing=True,
            since=seconds(scheduled.last_transition_time),
        )
    if status.phase == "Failed":
        return Trouble(status.reason or "PodFailed", shortened(status.message), failing=False)
    return None


def _of_container(status: raw.ContainerStatus) -> Trouble | None:
    if status.ready:
        return None
    waiting = status.state.waiting
    if waiting is not None and waiting.reason in _IMAGE:
        # kubelet alternates between these two reasons for one thing
        reason = "ErrImagePull" if waiting.reason == "ImagePullBackOff" else waiting.reason
        return Trouble(reason, shortened(f"{status.image}: {waiting.message}"), failing=True)
    ended = status.state.terminated or status.last_state.terminated
    if ended is not None and (ended.exit_code or status.restart_count):
        return _crash(status, ended)
    if waiting is not None and waiting.reason not in _STARTING:
        return Trouble(waiting.reason, shortened(waiting.message), failing=False)
    if waiting is None and status.state.terminated is None:
        return _probe(status)
    return None


def _crash(status: raw.ContainerStatus, ended: raw.Terminated) -> Trouble:
    waiting = status.state.waiting
    in_back_off = waiting is not None and waiting.reason == "CrashLoopBackOff"
    story = f"container {status.name} ended with exit code {ended.exit_code}"
    if ended.reason not in ("", "Error", "Completed"):
        story += f" ({ended.reason})"
    story += f", restarted {status.restart_count} times"
    words = ended.message.strip()
    if words:
        head = f"{story}; its last words: "
        story = head + shortened(words, max(_LEAST_WORDS, MESSAGE_BYTES - len(head.encode())))
    if ended.reason == "OOMKilled":
        reason = "OOMKilled"
    else:
        reason = "CrashLoopBackOff" if in_back_off or _in_loop(status, ended) else "Error"
    return Trouble(reason, shortened(story), failing=in_back_off or _in_loop(status, ended))


def _in_loop(status: raw.ContainerStatus, ended: raw.Terminated) -> bool:
    """Whether it is between two back-offs: without this a loop would show as a state that flaps."""
    if status.restart_count < _LOOP:
        return False
    began, over = seconds(ended.started_at), seconds(ended.finished_at)
    return began is None or over is None or over - began < _CALM_SECONDS


def _probe(status: raw.ContainerStatus) -> Trouble:
    """It runs and is not ready: a probe has not succeeded."""
    probe = "readiness" if status.started else "startup"
    message = f"container {status.name} runs, its {probe} probe has not succeeded"
    return Trouble("ProbeFailing" if status.started else "Starting", message, failing=False)
