"""Verdicts from literal objects, and the patience of the loop around them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.plugins.kubernetes.readiness import others, pods, workloads
from local.plugins.kubernetes.readiness.verdict import NEVER, Problem, Verdict
from local.plugins.kubernetes.readiness.waiting import NotReadyError, Waiting, lasting, message
from local.plugins.kubernetes.tokens import Kind

DEPLOYMENT = Kind("apps", "v1", "Deployment")


def pod(**status: Any) -> dict[str, Any]:
    container = {"name": "model", "ready": False, "restartCount": 0, **status}
    return {
        "metadata": {"name": "iris-v1-abc", "namespace": "models"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [container],
        },
    }


def crashed(restarts: int, *, down: bool = True, **ended: Any) -> dict[str, Any]:
    last = {"exitCode": 3, "reason": "Error", **ended}
    state = {"waiting": {"reason": "CrashLoopBackOff"}} if down else {"running": {}}
    return pod(state=state, lastState={"terminated": last}, restartCount=restarts)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_both_faces_of_a_failing_pull_are_one_problem(reason: str) -> None:
    message = 'rpc error: code = NotFound desc = "x:1": not found'
    [found] = pods.problems(
        pod(image="x:1", state={"waiting": {"reason": reason, "message": message}})
    )
    assert found.cause == "ErrImagePull"
    assert "x:1 cannot be pulled" in found.story
    assert "rpc error" not in found.story
    assert found.story.endswith('"x:1": not found')
    assert 0 < found.patience < NEVER


def test_an_invalid_image_name_is_final_at_once() -> None:
    [found] = pods.problems(pod(state={"waiting": {"reason": "InvalidImageName", "message": "no"}}))
    assert found.patience == 0


def test_a_crash_is_told_with_its_exit_code_and_last_words() -> None:
    [found] = pods.problems(crashed(2, message="Traceback\nweights missing\n"))
    assert "exit code 3" in found.story
    assert "restarted 2 times" in found.story
    assert "      weights missing" in found.story
    assert found.subject == "Pod iris-v1-abc, container model"


@pytest.mark.parametrize(
    ("restarts", "down", "final"), [(1, True, False), (2, True, True), (2, False, False)]
)
def test_a_crash_is_final_after_two_restarts_while_it_is_down(
    restarts: int, down: bool, final: bool
) -> None:
    [found] = pods.problems(crashed(restarts, down=down))
    assert found.patience == (0 if final else NEVER)


def test_memory_is_named_as_the_cause() -> None:
    [found] = pods.problems(crashed(1, reason="OOMKilled", exitCode=137))
    assert found.cause == "OOMKilled"
    assert "more memory than its limit" in found.story


def test_a_missing_setting_is_named() -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "s" not found'}
    [found] = pods.problems(pod(state={"waiting": waiting}))
    assert 'secret "s" not found' in found.story
    assert found.patience == pods.CONFIG_PATIENCE


def test_an_unschedulable_pod_tells_the_schedulers_reason() -> None:
    waiting = pod()
    waiting["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient cpu.",
            }
        ],
    }
    [found] = pods.problems(waiting)
    assert "Insufficient cpu" in found.story
    assert found.patience == pods.UNSCHEDULABLE_PATIENCE


def test_a_starting_or_ready_pod_has_no_problem() -> None:
    assert pods.problems(pod(state={"waiting": {"reason": "ContainerCreating"}})) == []
    ready = crashed(5)
    ready["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert pods.problems(ready) == []


def test_a_failing_probe_is_told_by_its_newest_event() -> None:
    events = [
        {"reason": "Unhealthy", "message": "old", "lastTimestamp": "2026-01-01T00:00:00Z"},
        {"reason": "Unhealthy", "message": "new", "lastTimestamp": "2026-01-01T00:00:09Z"},
        {"reason": "Pulled", "message": "pulled", "lastTimestamp": "2026-01-01T00:00:10Z"},
    ]
    running = pod(state={"running": {}})
    assert [item.story for item in pods.probe_problems(running, events)] == ["new"]


@pytest.mark.parametrize(
    ("broken", "command"),
    [
        (crashed(1), "kubectl -n models logs iris-v1-abc --previous"),
        (pod(state={"running": {}}), "kubectl -n models logs iris-v1-abc"),
        (pod(state={"waiting": {}}), "kubectl -n models describe pod iris-v1-abc"),
    ],
)
def test_the_next_step_fits_the_trouble(broken: dict[str, Any], command: str) -> None:
    assert pods.next_step("models", [broken]) == command


def test_a_pod_by_itself_that_failed_is_final() -> None:
    failed = crashed(0)
    failed["status"]["phase"] = "Failed"
    assert [item.patience for item in pods.judge(failed).problems] == [0]
    succeeded = pod()
    succeeded["status"]["phase"] = "Succeeded"
    assert pods.judge(succeeded).ready


def deployment(probe: bool = True, **status: Any) -> dict[str, Any]:
    container = {"name": "a", **({"readinessProbe": {}} if probe else {})}
    return {
        "kind": "Deployment",
        "metadata": {"name": "iris-v1", "namespace": "models", "generation": 2, "uid": "d"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}},
        "status": {"observedGeneration": 2, **status},
    }


DONE = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


def test_a_deployment_is_ready_when_all_its_pods_are_new_and_available() -> None:
    assert workloads.deployment(deployment(**DONE), []).ready
    for change in (
        {"observedGeneration": 1},
        {"updatedReplicas": 1},
        {"replicas": 3},
        {"availableReplicas": 1},
    ):
        assert not workloads.deployment(deployment(**{**DONE, **change}), []).ready


def test_old_pods_say_nothing_about_a_change_that_was_not_seen_yet() -> None:
    verdict = workloads.deployment(deployment(**{**DONE, "observedGeneration": 1}), [crashed(9)])
    assert verdict.problems == ()


def test_pods_without_a_readiness_probe_must_run_for_a_while() -> None:
    assert workloads.deployment(deployment(**DONE), []).settle == 0
    assert workloads.deployment(deployment(probe=False, **DONE), []).settle == workloads.SETTLE


def test_the_progress_deadline_is_final_and_the_pods_reason_stands_first() -> None:
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    verdict = workloads.deployment(deployment(conditions=[condition]), [crashed(1)])
    assert [item.cause for item in verdict.problems] == [
        "CrashLoopBackOff",
        "ProgressDeadlineExceeded",
    ]
    assert verdict.problems[1].patience == 0


def test_refused_pods_are_told_with_the_quota() -> None:
    condition = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota: none",
    }
    verdict = workloads.deployment(deployment(conditions=[condition]), [])
    assert "exceeded quota: none" in verdict.problems[0].story
    assert verdict.problems[0].patience == workloads.REFUSED_PATIENCE


def test_only_the_newest_replica_sets_pods_count() -> None:
    owner = deployment()
    owner["metadata"]["annotations"] = {workloads.REVISION: "2"}

    def replica_set(uid: str, revision: str, of: str = "d") -> dict[str, Any]:
        return {
            "metadata": {
                "uid": uid,
                "annotations": {workloads.REVISION: revision},
                "ownerReferences": [{"uid": of}],
            }
        }

    sets = [replica_set("r1", "1"), replica_set("x", "2", of="other"), replica_set("r2", "2")]
    newest = workloads.newest_replica_set(owner, sets)
    assert newest["metadata"]["uid"] == "r2"  # type: ignore[index,call-overload]

    def owned(name: str, uid: str, **metadata: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "ownerReferences": [{"uid": uid}], **metadata}}

    found = workloads.owned_by(
        newest, [owned("a", "r1"), owned("b", "r2"), owned("c", "r2", deletionTimestamp="now")]
    )
    assert [pods.name_of(item) for item in found] == ["b"]


def test_a_stateful_set_waits_for_its_revision() -> None:
    def stateful(**status: Any) -> dict[str, Any]:
        return {
            "kind": "StatefulSet",
            "metadata": {"name": "s", "generation": 1},
            "spec": {"replicas": 1},
            "status": {
                "observedGeneration": 1,
                "readyReplicas": 1,
                "updatedReplicas": 1,
                "currentRevision": "b",
                "updateRevision": "b",
                **status,
            },
        }

    assert workloads.stateful_set(stateful(), []).ready
    assert not workloads.stateful_set(stateful(currentRevision="a"), []).ready
    assert not workloads.stateful_set(stateful(readyReplicas=0), []).ready


def test_a_daemon_set_is_on_every_node_of_its_own() -> None:
    def daemon(available: int) -> dict[str, Any]:
        counts = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}
        return {"metadata": {}, "status": {**counts, "numberAvailable": available}}

    assert workloads.daemon_set(daemon(2), []).ready
    assert not workloads.daemon_set(daemon(1), []).ready


def test_a_job_completes_or_fails_for_good() -> None:
    complete = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert workloads.job(complete, []).ready
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    failed = workloads.job({"kind": "Job", "status": {"conditions": [condition]}}, [])
    assert [item.patience for item in failed.problems] == [0]
    assert workloads.job({"spec": {"suspend": True}}, []).ready


def test_a_service_needs_a_ready_endpoint_unless_it_can_have_none() -> None:
    spec = {"selector": {"app": "x"}}
    ready = [{"endpoints": [{"conditions": {"ready": True}}]}]
    unready = [{"endpoints": [{"conditions": {"ready": False}}]}]
    assert others.service({"spec": spec}, ready).ready
    assert not others.service({"spec": spec}, unready).ready
    assert not others.service({"spec": spec}, []).ready
    assert others.service({"spec": {**spec, "clusterIP": "None"}}, []).ready
    assert others.service({"spec": {"type": "ExternalName"}}, []).ready
    assert others.service({"spec": {}}, []).ready
    assert not others.service({"spec": {**spec, "type": "LoadBalancer"}}, ready).ready


def test_a_claim_that_waits_for_its_first_pod_is_not_waited_for() -> None:
    pending = {"metadata": {}, "status": {"phase": "Pending"}}
    assert not others.claim(pending, {}).ready
    assert others.claim(pending, {"volumeBindingMode": "WaitForFirstConsumer"}).ready


def test_a_definition_is_ready_when_established() -> None:
    established = {"status": {"conditions": [{"type": "Established", "status": "True"}]}}
    assert others.definition(established).ready
    assert not others.definition({}).ready
    refused = {"type": "NamesAccepted", "status": "False", "message": "taken"}
    [problem] = others.definition({"metadata": {}, "status": {"conditions": [refused]}}).problems
    assert problem.story == "taken"


def test_an_ingress_waits_for_its_address_as_the_official_plugin_does() -> None:
    assert not others.ingress({}).ready
    assert others.ingress({"status": {"loadBalancer": {"ingress": [{"ip": "::1"}]}}}).ready


def test_a_problem_counts_only_when_it_lasts() -> None:
    slow, final = Problem("a", "x", "", 10.0), Problem("b", "y", "", 0.0)
    since: dict[tuple[str, str], float] = {}
    assert lasting((slow,), since, 100.0) == []
    assert lasting((slow,), since, 109.0) == []
    assert lasting((slow,), since, 110.0) == [slow]
    assert lasting((), since, 111.0) == []
    assert lasting((slow,), since, 112.0) == []
    assert lasting((final,), since, 113.0) == [final]


def test_the_message_names_the_object_each_reason_once_and_the_next_step() -> None:
    problem = Problem("Pod p, container c", "x", "it broke")
    verdict = Verdict(False, "0 of 2 pods are available", (problem, problem), "kubectl logs p")
    live = {"metadata": {"name": "iris-v1", "namespace": "models"}}
    assert message(DEPLOYMENT, live, verdict, "within 300 s").splitlines() == [
        "Deployment models/iris-v1 is not ready within 300 s: 0 of 2 pods are available.",
        "  Pod p, container c: it broke",
        "  See more: kubectl logs p",
    ]


class Steps:
    """A cluster in whose place each look finds the next version of one object."""

    def __init__(self, *versions: dict[str, Any] | None) -> None:
        self.versions = list(versions)

    def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        del kind, namespace, name
        return self.versions.pop(0)

    def list(self, *_: object, **__: object) -> list[dict[str, Any]]:
        return []


def wait(cluster: Steps, verdicts: dict[str, Verdict], seconds: float = 30.0) -> Any:
    async def run() -> Any:
        async def report(note: str) -> None:
            del note

        waiting = Waiting(cluster, asyncio.Event(), report)  # type: ignore[arg-type]
        first = {"step": "0", "metadata": {"name": "a", "namespace": "n"}}
        kind = Kind("example.com", "v1", "Trial")
        judge = lambda _, live: verdicts[live["step"]]  # noqa: E731
        return await waiting.until_ready(kind, first, judge, seconds)

    return asyncio.run(run())


def step(number: int) -> dict[str, Any]:
    return {"step": str(number), "metadata": {"name": "a", "namespace": "n"}}


READY, NOT_YET = Verdict(True), Verdict(False, "not yet")


def test_the_wait_ends_with_the_object_that_was_ready() -> None:
    assert wait(Steps(step(1)), {"0": NOT_YET, "1": READY})["step"] == "1"


def test_an_object_that_vanishes_ends_the_wait() -> None:
    with pytest.raises(NotReadyError, match="was deleted meanwhile"):
        wait(Steps(None), {"0": NOT_YET})


def test_the_deadline_ends_the_wait_with_the_reason() -> None:
    with pytest.raises(NotReadyError, match="within 0 s: not yet"):
        wait(Steps(), {"0": NOT_YET}, seconds=0.0)


def test_a_final_problem_ends_the_wait_before_the_deadline() -> None:
    broken = Verdict(False, "no", (Problem("Pod p", "x", "it broke", 0.0),))
    with pytest.raises(NotReadyError, match="it broke"):
        wait(Steps(), {"0": broken})
