"""The engine's error hook logs the reason of a failed workload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pulumi
import pytest

from components import stack
from components.cluster_state import failure_reasons
from components.cluster_state.availability_gate import AvailabilityGate
from components.cluster_state.client import ClusterClient
from components.cluster_state.failure_reasons import log_failure_reasons
from components.cluster_state.snapshot import ClusterSnapshot
from components.cluster_state.state import ClusterState
from components.config import parse
from tests.support.recorder import record

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
PLATFORM = {"namespace": "models", "registry": "registry.test/models", "hostname": "models.test"}
CLUSTER = cast("ClusterClient", object())


@dataclass
class Callbacks:
    """Replaces the SDK's callback server, which needs a real engine."""

    hooks: list[pulumi.ErrorHook] = field(default_factory=list)

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        self.hooks.append(hook)


@pytest.fixture
def callbacks(monkeypatch: pytest.MonkeyPatch) -> Callbacks:
    server = Callbacks()

    async def get_callbacks() -> Callbacks:
        return server

    monkeypatch.setattr("pulumi.runtime.resource._get_callbacks", get_callbacks)
    return server


Bound = dict[str, list[pulumi.ErrorHook]]


def note_hooks(bound: Bound) -> None:
    """Register last: a transformation sees what those before it have done."""

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        hooks = args.opts.hooks
        if hooks is not None and hooks.on_error:
            bound[f"{args.type_.rpartition(':')[2]} {args.name}"] = hooks.on_error

    pulumi.runtime.register_stack_transformation(note)


@pytest.fixture
def run_program(
    project: Path, callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch
) -> Callable[[ClusterClient | None], Bound]:
    """Run the whole program on two models; return which resources have error hooks."""

    def run(cluster: ClusterClient | None) -> Bound:
        bound: Bound = {}

        def log_and_note(used: ClusterClient | None, namespace: str) -> None:
            log_failure_reasons(used, namespace)
            note_hooks(bound)

        monkeypatch.setattr(stack, "log_failure_reasons", log_and_note)
        python = {"language": "python", "handler": "predict:predict"}
        models = {
            "iris": {
                **python,
                "versions": {
                    "v1": {"source": "models/iris/v1"},
                    "v2": {"source": "models/iris/v2"},
                },
            },
            "echo": {**python, "versions": {"v1": {"source": "models/echo/v1"}}},
        }
        spec = parse(PLATFORM, models, project)
        empty = ClusterState()
        snapshot = ClusterSnapshot(
            empty, AvailabilityGate(None, "models", empty), cluster, "models"
        )
        record(lambda: stack.build(spec, project, snapshot))
        return bound

    return run


def test_one_hook_is_bound_to_every_workload_and_nothing_else(
    run_program: Callable[[ClusterClient | None], Bound], callbacks: Callbacks
) -> None:
    bound = run_program(CLUSTER)
    assert set(bound) == {
        "Deployment deployment-watcher",
        "Deployment echo-v1",
        "Deployment ingress-controller",
        "Deployment iris-v1",
        "Deployment iris-v2",
        "StatefulSet message-broker",
    }
    [hook] = callbacks.hooks
    assert all(hooks == [hook] for hooks in bound.values())


def test_without_a_cluster_no_hook_is_registered(
    run_program: Callable[[ClusterClient | None], Bound], callbacks: Callbacks
) -> None:
    assert run_program(None) == {}
    assert callbacks.hooks == []


@dataclass
class Engine:
    requests: list[tuple[str, str]] = field(default_factory=list)

    def Log(self, request) -> None:  # noqa: N802
        self.requests.append((request.urn, request.message))


@pytest.fixture
def hook(callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch) -> pulumi.ErrorHook:
    monkeypatch.setattr(failure_reasons, "failure_text", lambda *arguments: f"why: {arguments[1:]}")
    record(lambda: log_failure_reasons(CLUSTER, "models"))
    [registered] = callbacks.hooks
    return registered


@pytest.mark.parametrize(
    ("operation", "is_logged"), [("create", True), ("update", True), ("delete", False)]
)
def test_hook_logs_below_the_resource_and_never_retries(
    hook: pulumi.ErrorHook,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    is_logged: bool,
) -> None:
    engine = Engine()
    monkeypatch.setattr("components.pulumi_patches.get_engine", lambda: engine)
    urn = f"urn:pulumi:local::model-deployment::{DEPLOYMENT}::iris-v2"
    failure = pulumi.ErrorHookArgs(
        urn, "", "iris-v2", DEPLOYMENT, failed_operation=operation, errors=["timed out"]
    )
    assert hook(failure) is False
    text = f"why: {('models', DEPLOYMENT, 'iris-v2')}"
    assert engine.requests == ([(urn, text)] if is_logged else [])


def test_preview_registers_no_hook(callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    record(lambda: log_failure_reasons(CLUSTER, "models"))
    assert callbacks.hooks == []
