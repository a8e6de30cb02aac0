"""Each kind of broken version, from the status that the API server gives for its Pods."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster_client.api_types import Deployment, Pod, PodStatus
from cluster_client.pod_diagnosis import (
    MAX_MESSAGE_BYTES,
    PodProblem,
    diagnose_deployment,
    diagnose_pod,
    keep_end,
)

Object = dict[str, object]

IMAGE = "localhost:5000/models/echo@sha256:" + "0" * 64
BACK_OFF = {
    "reason": "CrashLoopBackOff",
    "message": "back-off 20s restarting failed container=model pod=echo-v2-6d5f-x2k4j_models(1a2b)",
}
RUNNING = {"running": {"startedAt": "2026-11-25T10:00:02Z"}}
SCHEDULED = {
    "type": "PodScheduled",
    "status": "True",
    "lastProbeTime": None,
    "lastTransitionTime": "2026-11-25T10:00:00Z",
}
NOT_READY = {
    "type": "Ready",
    "status": "False",
    "reason": "ContainersNotReady",
    "message": "containers with unready status: [model]",
    "lastTransitionTime": "2026-11-25T10:00:00Z",
}


def terminated(code: int, reason: str = "Error", message: str | None = None) -> Object:
    state: Object = {
        "exitCode": code,
        "reason": reason,
        "startedAt": "2026-11-25T10:00:02Z",
        "finishedAt": "2026-11-25T10:00:03Z",
        "containerID": "containerd://4bd6",
    }
    return {"terminated": {**state, **({} if message is None else {"message": message})}}


def container(state: Object, *, last: Object | None = None, **fields: object) -> Object:
    return {
        "name": "model",
        "image": IMAGE,
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": state,
        "lastState": last or {},
        **fields,
    }


def crash_loop(state: Object, restarts: int = 2) -> Object:
    return container({"waiting": BACK_OFF}, last=state, restartCount=restarts)


def status(*containers: Object, **fields: object) -> Object:
    return {
        "phase": "Pending",
        "conditions": [SCHEDULED, NOT_READY],
        "containerStatuses": list(containers),
        **fields,
    }


MISSING_IMPORT = (
    "handler predict:predict imports 'package_that_nobody_wrote', which is not installed"
)
NO_ROOM = (
    "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 "
    "nodes are available: 1 No preemption victims found for incoming pod."
)
NOT_FOUND = (
    f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '
    f"{IMAGE}: not found"
)
CASES = {
    "missing import": (
        status(crash_loop(terminated(1, message=MISSING_IMPORT + "\n"))),
        PodProblem(
            "CrashLoopBackOff",
            "container model exited with code 1 (Error), restarted 2 times; "
            f"termination message: {MISSING_IMPORT}",
            failing=True,
        ),
    ),
    "exception at import, first restart": (
        status(container(RUNNING, last=terminated(1, message="ValueError: no"), restartCount=1)),
        PodProblem(
            "Error",
            "container model exited with code 1 (Error), restarted once; "
            "termination message: ValueError: no",
            failing=False,
        ),
    ),
    "crash without a message": (
        status(container(terminated(3))),
        PodProblem("Error", "container model exited with code 3 (Error)", failing=False),
    ),
    "crash loop while the container runs again": (
        status(container(RUNNING, last=terminated(3), restartCount=2)),
        PodProblem(
            "CrashLoopBackOff",
            "container model exited with code 3 (Error), restarted 2 times",
            failing=True,
        ),
    ),
    "out of memory": (
        status(crash_loop(terminated(137, "OOMKilled"))),
        PodProblem(
            "OOMKilled",
            "container model exited with code 137 (OOMKilled), restarted 2 times",
            failing=True,
        ),
    ),
    "never ready": (
        status(container(RUNNING, started=True), phase="Running"),
        PodProblem(
            "ProbeFailing",
            "container model runs, its readiness probe has not succeeded",
            failing=False,
        ),
    ),
    "never started": (
        status(container(RUNNING), phase="Running"),
        PodProblem(
            "Starting", "container model runs, its startup probe has not succeeded", failing=False
        ),
    ),
    "no room": (
        {
            "phase": "Pending",
            "conditions": [
                {
                    **SCHEDULED,
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": NO_ROOM,
                }
            ],
        },
        PodProblem("Unschedulable", NO_ROOM, failing=True, since=1795600800.0),
    ),
    "image not found": (
        status(container({"waiting": {"reason": "ErrImagePull", "message": NOT_FOUND}})),
        PodProblem("ErrImagePull", f"cannot pull image {IMAGE}: {NOT_FOUND}", failing=True),
    ),
    "image not found, in back-off": (
        status(
            container(
                {
                    "waiting": {
                        "reason": "ImagePullBackOff",
                        "message": f'Back-off pulling image "{IMAGE}": ErrImagePull: {NOT_FOUND}',
                    }
                }
            )
        ),
        PodProblem(
            "ErrImagePull",
            f'cannot pull image {IMAGE}: Back-off pulling image "{IMAGE}": '
            f"ErrImagePull: {NOT_FOUND}",
            failing=True,
        ),
    ),
    "evicted": (
        status(
            container(terminated(137)),
            phase="Failed",
            reason="Evicted",
            message='Usage of EmptyDir volume "tmp" exceeds the limit "128Mi". ',
        ),
        PodProblem(
            "Evicted",
            'Usage of EmptyDir volume "tmp" exceeds the limit "128Mi"; set temporaryStorage',
            failing=True,
        ),
    ),
    "evicted by a full node": (
        {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "The node was low on resource: ephemeral-storage. ",
        },
        PodProblem("Evicted", "The node was low on resource: ephemeral-storage.", failing=True),
    ),
    "evicted with exit code 0": (
        status(container(terminated(0, "Completed")), phase="Succeeded"),
        PodProblem(
            "Completed",
            "kubelet ended the Pod, it may be evicted; see kubectl get events",
            failing=False,
        ),
    ),
    "refused by the kubelet": (
        {"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected: OutOfcpu"},
        PodProblem("OutOfcpu", "Pod was rejected: OutOfcpu", failing=False),
    ),
    "missing Secret": (
        status(
            container(
                {
                    "waiting": {
                        "reason": "CreateContainerConfigError",
                        "message": 'secret "echo-v2" not found',
                    }
                }
            )
        ),
        PodProblem(
            "CreateContainerConfigError",
            'container model cannot start: secret "echo-v2" not found',
            failing=False,
        ),
    ),
    "init container in a crash loop": (
        status(
            container({"waiting": {"reason": "PodInitializing"}}),
            initContainerStatuses=[{**crash_loop(terminated(2)), "name": "fetch"}],
        ),
        PodProblem(
            "CrashLoopBackOff",
            "init container fetch exited with code 2 (Error), restarted 2 times",
            failing=True,
        ),
    ),
    "init container that runs": (
        status(
            container({"waiting": {"reason": "PodInitializing"}}),
            initContainerStatuses=[container(RUNNING, name="fetch")],
        ),
        PodProblem("Starting", "init container fetch has not completed", failing=False),
    ),
    "one failing container of two": (
        status(container(RUNNING, started=True), {**crash_loop(terminated(4)), "name": "proxy"}),
        PodProblem(
            "CrashLoopBackOff",
            "container proxy exited with code 4 (Error), restarted 2 times",
            failing=True,
        ),
    ),
}


@pytest.mark.parametrize(("pod_status", "expected"), CASES.values(), ids=CASES)
def test_diagnose_pod_names_the_problem(pod_status: Object, expected: PodProblem) -> None:
    assert diagnose_pod(msgspec.convert(pod_status, PodStatus)) == expected


@pytest.mark.parametrize(
    "pod_status",
    [
        {},
        status(container({"waiting": {"reason": "ContainerCreating"}})),
        status(
            container({"waiting": {"reason": "PodInitializing"}}),
            initContainerStatuses=[{**container(terminated(0, "Completed")), "ready": True}],
        ),
        status(
            container(RUNNING, last=terminated(1), restartCount=5, ready=True),
            conditions=[{"type": "Ready", "status": "True"}],
        ),
    ],
    ids=["no status", "creating", "initialized", "ready after crashes"],
)
def test_diagnose_pod_without_problem_returns_none(pod_status: Object) -> None:
    assert diagnose_pod(msgspec.convert(pod_status, PodStatus)) is None


QUOTA = (
    'pods "echo-v2-6d5f-x2k4j" is forbidden: exceeded quota: memory, requested: '
    "requests.memory=128Mi, used: requests.memory=640Mi, limited: requests.memory=640Mi"
)
REFUSED = {
    "type": "ReplicaFailure",
    "status": "True",
    "reason": "FailedCreate",
    "message": QUOTA,
}


def deployment(*conditions: Object) -> Deployment:
    return msgspec.convert({"metadata": {}, "status": {"conditions": conditions}}, Deployment)


def pod(pod_status: Object, created: str = "10:00:00", template: str = "new") -> Pod:
    meta = {
        "creationTimestamp": f"2026-11-25T{created}Z",
        "labels": {"pod-template-hash": template},
    }
    return msgspec.convert({"metadata": meta, "status": pod_status}, Pod)


READY = status(container(RUNNING, ready=True), conditions=[{"type": "Ready", "status": "True"}])
CREATING = status(container({"waiting": {"reason": "ContainerCreating"}}))
EVICTED, _ = CASES["evicted"]
NEVER_READY, _ = CASES["never ready"]


def reason(*pods: Pod, conditions: tuple[Object, ...] = ()) -> str | None:
    problem = diagnose_deployment(deployment(*conditions), pods)
    return problem.reason if problem else None


def test_quota_that_refuses_pods_is_the_reason() -> None:
    problem = diagnose_deployment(deployment(REFUSED), [pod(READY, template="old")])
    assert problem == PodProblem("FailedCreate", QUOTA, failing=False)
    assert str(problem) == f"FailedCreate: {QUOTA}"
    assert reason(conditions=({**REFUSED, "status": "False"},)) is None


def test_problem_of_an_existing_pod_comes_before_the_quota() -> None:
    assert reason(pod(NEVER_READY), conditions=(REFUSED,)) == "ProbeFailing"


def test_evicted_pod_is_the_reason_while_its_replacement_starts() -> None:
    assert reason(pod(EVICTED), pod(CREATING, "10:00:20")) == "Evicted"


def test_evicted_pod_of_an_older_template_is_ignored() -> None:
    newest = pod(NEVER_READY, "11:00:00")
    assert reason(newest, pod(EVICTED, template="old")) == "ProbeFailing"


def test_terminating_pod_is_ignored() -> None:
    leaving = pod(EVICTED)
    leaving.metadata.deletion_timestamp = "2026-11-25T10:01:00Z"
    assert reason(leaving) is None
    assert reason(leaving, pod(NEVER_READY)) == "ProbeFailing"


def test_ready_pods_have_no_problem() -> None:
    assert reason(pod(READY), pod(READY)) is None


def test_long_termination_message_keeps_its_end() -> None:
    long = status(crash_loop(terminated(1, message="ä" * 3000 + " the end")))
    problem = diagnose_pod(msgspec.convert(long, PodStatus))
    assert problem is not None
    assert len(problem.message.encode()) <= MAX_MESSAGE_BYTES
    assert problem.message.startswith("container model exited with code 1 (Error)")
    assert problem.message.endswith(" the end")


@given(st.text(max_size=600), st.integers(min_value=4, max_value=400))
def test_keep_end_never_exceeds_the_limit(text: str, max_bytes: int) -> None:
    short = keep_end(text, max_bytes)
    assert len(short.encode()) <= max_bytes
    printable = "".join(
        "?" if character == "\x7f" or (character < " " and character not in "\n\t") else character
        for character in text
    )
    assert short == printable or printable.endswith(short.removeprefix("..."))


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", '"', "\\", "\n", "ä", "\U0001f600"])
def test_message_of_any_characters_takes_few_bytes_in_json(character: str) -> None:
    message = keep_end(character * 4000)
    assert len(msgspec.json.encode(message)) <= 2 * MAX_MESSAGE_BYTES + 2
