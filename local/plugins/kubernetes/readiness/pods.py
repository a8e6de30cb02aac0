"""Why a pod is not ready, from its own status. Pure: dictionaries in, problems out."""

from __future__ import annotations

import re

from local.plugins.access import condition, mapping, objects, text, whole
from local.plugins.kubernetes.readiness.verdict import NEVER, Problem, Verdict
from local.plugins.values import Object

IMAGE_PATIENCE = 8.0
"""Seconds: one failed pull may be the network's; a second one after kubelet's pause is not."""
CONFIG_PATIENCE = 10.0
"""Seconds for a missing ConfigMap or Secret that the same update may be about to create."""
UNSCHEDULABLE_PATIENCE = 30.0
"""Seconds for a node to get room; the same that the watcher allows (contract, section 5)."""
CRASHES = 2
"""Restarts after which a crashing container is taken at its word."""

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable")
_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_WORDS = 1024
"""Characters of a container's last words that are shown."""


def is_ready(pod: Object) -> bool:
    """Ready, or ended well."""
    if text(pod, "status", "phase") == "Succeeded":
        return True
    return condition(pod, "Ready").get("status") == "True"


def name_of(pod: Object) -> str:
    """The pod's name, for messages."""
    return text(pod, "metadata", "name")


def problems(pod: Object) -> list[Problem]:
    """What keeps this pod from being ready."""
    if is_ready(pod):
        return []
    found = _scheduling(pod)
    statuses = [
        *objects(pod, "status", "initContainerStatuses"),
        *objects(pod, "status", "containerStatuses"),
    ]
    for status in statuses:
        problem = _container(pod, status)
        if problem is not None:
            found.append(problem)
    if not found and text(pod, "status", "phase") == "Failed":
        story = text(pod, "status", "message") or text(pod, "status", "reason") or "it failed"
        found.append(Problem(f"Pod {name_of(pod)}", text(pod, "status", "reason"), story, NEVER))
    return found


def _scheduling(pod: Object) -> list[Problem]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") != "False":
        return []
    reason, message = text(scheduled, "reason"), text(scheduled, "message")
    story = f"no node can take it ({reason}): {message}"
    return [Problem(f"Pod {name_of(pod)}", reason, story, UNSCHEDULABLE_PATIENCE)]


def _container(pod: Object, status: Object) -> Problem | None:
    subject = f"Pod {name_of(pod)}, container {text(status, 'name')}"
    waiting = mapping(status, "state", "waiting")
    reason, message = text(waiting, "reason"), text(waiting, "message")
    if reason in _IMAGE:
        image = text(status, "image")
        story = f"the image {image} cannot be pulled ({reason}): {_unwrapped(message)}"
        # kubelet alternates between the two reasons; they are one problem.
        return Problem(subject, "ErrImagePull", story, IMAGE_PATIENCE)
    if reason == "InvalidImageName":
        return Problem(subject, reason, f"the image's name is not valid: {message}", 0.0)
    if reason in _CONFIG:
        return Problem(
            subject, reason, f"it cannot be started ({reason}): {message}", CONFIG_PATIENCE
        )
    ended = mapping(status, "state", "terminated") or mapping(status, "lastState", "terminated")
    if ended and status.get("ready") is not True:
        return _ended(subject, status, ended)
    return None


def _ended(subject: str, status: Object, ended: Object) -> Problem | None:
    code, restarts = whole(ended, "exitCode"), whole(status, "restartCount")
    if code == 0 and text(ended, "reason") == "Completed" and not restarts:
        return None
    if text(ended, "reason") == "OOMKilled":
        story = "it used more memory than its limit and was killed (OOMKilled)"
        cause = "OOMKilled"
    else:
        cause = "CrashLoopBackOff" if restarts else "Error"
        story = f"it ends with exit code {code}"
        if text(ended, "reason") not in ("", "Error", "Completed"):
            story += f" ({text(ended, 'reason')})"
    if restarts:
        story += f", restarted {restarts} times"
    words = text(ended, "message").strip()
    if words:
        story += f". Its last words:\n{_indented(words[-_WORDS:])}"
    down = bool(mapping(status, "state", "waiting") or mapping(status, "state", "terminated"))
    return Problem(subject, cause, story, 0.0 if down and restarts >= CRASHES else NEVER)


def _indented(words: str) -> str:
    return "\n".join(f"      {line}" for line in words.splitlines())


def _unwrapped(message: str) -> str:
    """Containerd's message without the layers of RPC around it."""
    return re.sub(
        r"^(?:Back-off pulling image \"[^\"]*\": )?(?:ErrImagePull: )?"
        r"(?:rpc error: code = \w+ desc = )?",
        "",
        message,
    )


def probe_problems(pod: Object, events: list[Object]) -> list[Problem]:
    """The failing probe of a pod that runs, from its newest `Unhealthy` event."""
    unhealthy = [event for event in events if event.get("reason") == "Unhealthy"]
    if is_ready(pod) or not unhealthy:
        return []
    newest = max(unhealthy, key=lambda event: text(event, "lastTimestamp"))
    return [Problem(f"Pod {name_of(pod)}", "Unhealthy", text(newest, "message"), NEVER)]


def next_step(namespace: str, pods: list[Object]) -> str:
    """The command that shows more of the pod that is not ready."""
    troubled = [pod for pod in pods if not is_ready(pod)]
    if not troubled:
        return f"kubectl -n {namespace} get events"
    pod = troubled[0]
    name = name_of(pod)
    if any(whole(status, "restartCount") for status in objects(pod, "status", "containerStatuses")):
        return f"kubectl -n {namespace} logs {name} --previous"
    started = any(
        {"running", "terminated"} & mapping(status, "state").keys()
        for status in objects(pod, "status", "containerStatuses")
    )
    return f"kubectl -n {namespace} {'logs' if started else 'describe pod'} {name}"


def judge(pod: Object) -> Verdict:
    """A pod by itself: ready, or gone for good."""
    if is_ready(pod):
        return Verdict(ready=True)
    found = problems(pod)
    if text(pod, "status", "phase") == "Failed":
        story = found[0].story if found else "it failed"
        found = [Problem(f"Pod {name_of(pod)}", "Failed", story, 0.0)]
    phase = text(pod, "status", "phase") or "Pending"
    step = next_step(text(pod, "metadata", "namespace"), [pod])
    return Verdict(False, f"the pod is {phase}", tuple(found), step)
