"""What state a version is in, and what became of it. Pure: no clock, no network.

The state is the first that matches (contract, section 5): Deleted, Available, Failed, Unavailable,
Progressing.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from watcher.objects import Deployment, Pod
from watcher.troubles import UNSCHEDULABLE_SECONDS, Trouble, shortened


class State(StrEnum):
    """As events and the status spell it; routing keys and types have it in lower case."""

    DELETED = "Deleted"
    AVAILABLE = "Available"
    FAILED = "Failed"
    UNAVAILABLE = "Unavailable"
    PROGRESSING = "Progressing"


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How a version stands at a moment."""

    uid: str
    state: State
    reason: str = ""
    message: str = ""
    desired: int = 0
    ready: int = 0
    image: str = ""


class Known(msgspec.Struct, frozen=True, gc=False):
    """What was last told of a version."""

    uid: str
    state: State
    image: str = ""


def newest(pods: Iterable[Pod]) -> Pod | None:
    """The Pod that speaks for a version: the last one made, of several at once a troubled one.

    Pods on their way out say nothing of what comes.
    """
    staying = [pod for pod in pods if not pod.terminating]
    return max(staying, key=_rank, default=None)


def _rank(pod: Pod) -> tuple[str, bool, bool, str]:
    failing = pod.trouble is not None and pod.trouble.failing
    return pod.created, failing, pod.trouble is not None, pod.name


def standing(
    deployment: Deployment, pods: Iterable[Pod], was_available: bool, now: float
) -> Standing:
    """How a version stands; `was_available`: it was, at some time since it was made."""
    if deployment.available:
        return _standing(deployment, State.AVAILABLE, "", "")
    pod = newest(pods)
    trouble = None if pod is None else pod.trouble
    reason, message = ("", "") if trouble is None else (trouble.reason, trouble.message)
    if trouble is not None and _has_failed(trouble, now):
        return _standing(deployment, State.FAILED, reason, message)
    if deployment.overdue:
        whole = shortened(f"{deployment.overdue} {message}".strip())
        return _standing(deployment, State.FAILED, reason or "ProgressDeadlineExceeded", whole)
    state = State.UNAVAILABLE if was_available else State.PROGRESSING
    if not reason and deployment.blocked:
        reason, message = "ReplicaFailure", shortened(deployment.blocked)
    return _standing(deployment, state, reason, message)


def _standing(deployment: Deployment, state: State, reason: str, message: str) -> Standing:
    return Standing(
        uid=deployment.uid,
        state=state,
        reason=reason,
        message=message,
        desired=deployment.desired,
        ready=deployment.ready,
        image=deployment.image,
    )


def _has_failed(trouble: Trouble, now: float) -> bool:
    if not trouble.failing:
        return False
    return trouble.since is None or now - trouble.since >= UNSCHEDULABLE_SECONDS


def due(pods: Iterable[Pod], now: float) -> float | None:
    """When to look again without any change: a Pod is unschedulable, but not yet for long."""
    pod = newest(pods)
    if pod is None or pod.trouble is None or pod.trouble.since is None:
        return None
    moment = pod.trouble.since + UNSCHEDULABLE_SECONDS
    return moment if moment > now else None


def between(old: Known | None, new: Standing | None) -> list[Standing]:
    """What is owed to whoever knew `old`, now that it stands at `new` (None: it is gone).

    A Deployment made anew under the same name is another one: the old one's end is owed first.
    """
    owed = []
    lived = old is not None and old.state is not State.DELETED
    if old is not None and lived and (new is None or new.uid != old.uid):
        owed.append(Standing(uid=old.uid, state=State.DELETED, image=old.image))
    if new is not None and (old is None or new.uid != old.uid or new.state is not old.state):
        owed.append(new)
    return owed
