"""Secrets of versions and tokens of models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pulumi
import pytest

from tests.unit.components.program.samples import (
    IRIS,
    PLATFORM_KINDS,
    SECRET_MARK,
    Run,
    environment_of,
    pod_of,
)


def test_version_secrets_are_one_secret_object(run: Run) -> None:
    pulumi.runtime.set_all_config({"model-deployment:irisApiKey": "s3cret"})
    try:
        version = {"source": "models/iris/v1", "secrets": {"API_KEY": "irisApiKey"}}
        recorded = run({"iris": {**IRIS, "versions": {"v1": version}, "routes": {}}})
    finally:
        pulumi.runtime.set_all_config({})
    deployment = recorded.inputs_of("Deployment", "iris-v1")
    environment = {item["name"]: item for item in pod_of(deployment)["containers"][0]["env"]}
    assert environment["API_KEY"]["valueFrom"] == {
        "secretKeyRef": {"name": "iris-v1", "key": "API_KEY"}
    }
    assert environment["MODEL_SECRETS"]["value"] == "API_KEY"
    stored = recorded.inputs_of("Secret", "iris-v1")["stringData"]
    assert stored["4dabf18193072939515e22adb298388d"] == SECRET_MARK
    assert stored["value"] == {"API_KEY": "s3cret"}
    # rotating a value rolls the Pods, and says nothing about it
    pod_annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert len(pod_annotations["model-deployment.io/secrets"]) == 8
    assert "s3cret" not in json.dumps(deployment, default=str)


TOKENS = {"irisTokenA": "t0ken-a", "irisTokenB": "t0ken-b"}


@pytest.fixture
def tokens() -> Iterator[Callable[..., None]]:
    def _set(**values: str) -> None:
        config = {f"model-deployment:{key}": value for key, value in {**TOKENS, **values}.items()}
        pulumi.runtime.set_all_config(config, list(config))

    _set()
    yield _set
    pulumi.runtime.set_all_config({}, [])


GUARDED = {**IRIS, "tokens": ["irisTokenA", "irisTokenB"]}


def test_model_tokens_are_one_secret_object(run: Run, tokens: object) -> None:
    recorded = run({"iris": GUARDED})
    recorded.seal(
        **{**PLATFORM_KINDS, "Secret": 3},
        Model=1,
        ModelVersion=2,
        Image=4,
        Deployment=4,
        Service=6,
        PodDisruptionBudget=5,
        Ingress=3,
        TraefikService=1,
        IngressRoute=4,
    )
    secret = recorded.inputs_of("Secret", "iris-tokens")
    assert secret["metadata"]["name"] == "iris-tokens"
    assert secret["metadata"]["namespace"] == "models"
    assert secret["metadata"]["labels"]["app.kubernetes.io/name"] == "iris"
    assert secret["stringData"]["4dabf18193072939515e22adb298388d"] == SECRET_MARK
    assert secret["stringData"]["value"] == TOKENS


def test_versions_mount_model_tokens(run: Run, tokens: object) -> None:
    recorded = run({"iris": GUARDED})
    for version in ("iris-v1", "iris-v2"):
        pod = pod_of(recorded.inputs_of("Deployment", version))
        [volume] = [
            volume_item for volume_item in pod["volumes"] if volume_item["name"] == "tokens"
        ]
        assert volume["secret"] == {"secretName": "iris-tokens", "defaultMode": 0o440}
        container = pod["containers"][0]
        [mount] = [
            volume_item
            for volume_item in container["volumeMounts"]
            if volume_item["name"] == "tokens"
        ]
        # a subPath would never be brought up to date
        assert mount == {
            "name": "tokens",
            "mountPath": environment_of(recorded, version)["MODEL_TOKENS"],
            "readOnly": True,
        }


def test_changed_token_changes_secret_object_only(run: Run, tokens: Callable[..., None]) -> None:
    def registered() -> dict[tuple[str, str], str]:
        recorded = run({"iris": GUARDED})
        # generated in each run and ignored in all but the first; the publishing time is fixed
        fresh = {("Secret", "ingress-controller.certificate"), ("Secret", "message-broker")}
        unchanging = [
            item
            for item in recorded.resources
            if (item.token.rpartition(":")[2], item.name) not in fresh
        ]
        return {
            (item.token, item.name): re.sub(
                r"....-..-..T..:..:..Z", "<time>", json.dumps(item.inputs, default=str)
            )
            for item in unchanging
        }

    before = registered()
    tokens(irisTokenB="t0ken-c")
    after = registered()
    assert [key for key in before if before[key] != after[key]] == [
        ("kubernetes:core/v1:Secret", "iris-tokens")
    ]


def test_token_value_appears_in_secret_object_only(run: Run, tokens: object) -> None:
    recorded = run({"iris": GUARDED})
    telling = [
        item.name for item in recorded.resources if "t0ken" in json.dumps(item.inputs, default=str)
    ]
    assert telling == ["iris-tokens"]
    assert "t0ken" not in json.dumps(recorded.outputs, default=str)


def test_model_without_tokens_has_no_token_settings(run: Run) -> None:
    recorded = run({"iris": IRIS})
    pod = pod_of(recorded.inputs_of("Deployment", "iris-v1"))
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp"]
    assert [mount["name"] for mount in pod["containers"][0]["volumeMounts"]] == ["tmp"]
    assert "MODEL_TOKENS" not in environment_of(recorded, "iris-v1")
