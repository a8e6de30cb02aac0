"""What a stack with a section `aws` declares, and what no stack may ever hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components.aws.account import _nested_output
from tests.support.recorder import Recorder

ROOT = Path(__file__).parents[4]
PRODUCTION = yaml.safe_load((ROOT / "stacks/Pulumi.prod.yaml").read_text())["config"]
PLATFORM = PRODUCTION["model-deployment:platform"]
MODELS = {
    "iris": {
        "language": "python",
        "handler": "predict:predict",
        "versions": {"v1": {"source": "models/iris/v1"}, "v2": {"source": "models/iris/v2"}},
        "routes": {"prod": {"weights": {"v1": 100}}},
    }
}
OPEN = "0.0.0.0/0"

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated in favor of:DeprecationWarning")
"""pulumi-aws imports its own old names, and says so."""

Run = Callable[..., Recorder]


@pytest.fixture
def production(run: Run) -> Recorder:
    return run(MODELS, PLATFORM)


def of_aws(recorder: Recorder) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in recorder.resources:
        if item.token.startswith("aws:"):
            kind = item.token.rpartition(":")[2]
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def inputs(recorder: Recorder, kind: str) -> list[dict[str, Any]]:
    """By name: threads register, and who is first is chance."""
    return [
        dict(item.inputs)
        for item in sorted(recorder.resources, key=lambda item: item.name)
        if item.token.startswith(("aws:", "kubernetes:")) and item.token.rpartition(":")[2] == kind
    ]


def test_prod_stack_declares_exactly_these_aws_resources(production: Recorder) -> None:
    assert of_aws(production) == {
        "Attachment": 2,
        "Bucket": 1,
        "BucketLifecycleConfiguration": 1,
        "BucketPolicy": 1,
        "BucketPublicAccessBlock": 1,
        "BucketServerSideEncryptionConfiguration": 1,
        "LifecyclePolicy": 3,
        "Listener": 2,  # TLS, and plain HTTP that is sent on
        "LoadBalancer": 1,
        "Record": 1,
        "Repository": 3,
        "RepositoryPolicy": 3,
        "SecurityGroup": 1,
        "SecurityGroupIngressRule": 3,
        "TargetGroup": 2,
    }


def test_stack_without_aws_section_declares_no_aws_resources(run: Run) -> None:
    plain = {key: value for key, value in PLATFORM.items() if key not in ("aws", "loadBalancer")}
    assert of_aws(run(MODELS, {**plain, "registry": "registry.test/models"})) == {}


def test_target_groups_use_node_ports_of_service(production: Recorder) -> None:
    service: Any = production.inputs_of("Service", "ingress-controller")
    ports = {port["name"]: port["nodePort"] for port in service["spec"]["ports"]}
    models, redirect = inputs(production, "TargetGroup")
    assert (models["port"], redirect["port"]) == (ports["web"], ports["plain"])
    for target in (models, redirect):
        assert target["healthCheck"]["port"] == str(int(ports["ping"]))


def test_traefik_trusts_proxy_protocol_of_load_balancer(production: Recorder) -> None:
    models, redirect = inputs(production, "TargetGroup")
    assert (models["proxyProtocolV2"], redirect["proxyProtocolV2"]) == (True, False)
    arguments = production.inputs_of("Deployment", "ingress-controller")["spec"]["template"][
        "spec"
    ]["containers"][0]["args"]
    trusted = [item for item in arguments if "proxyprotocol" in item]
    assert trusted == [
        f"--entrypoints.{name}.proxyprotocol.trustedips={PLATFORM['aws']['vpc']['cidr']}"
        for name in ("web", "traefik")
    ]


def test_traefik_without_load_balancer_has_no_proxy_protocol(run: Run) -> None:
    plain = {"namespace": "models", "registry": "registry.test/models", "hostname": "models.test"}
    recorder = run(MODELS, plain)
    assert "proxyprotocol" not in str(recorder.inputs_of("Deployment", "ingress-controller"))
    assert len(recorder.inputs_of("Service", "ingress-controller")["spec"]["ports"]) == 1


def test_http_listener_only_redirects(run: Run, production: Recorder) -> None:
    listeners = {item["port"]: item for item in inputs(production, "Listener")}
    assert {port: item["protocol"] for port, item in listeners.items()} == {443: "TLS", 80: "TCP"}
    assert "certificateArn" not in listeners[80]
    (_, redirect) = inputs(production, "TargetGroup")
    service: Any = production.inputs_of("Service", "ingress-controller")
    (plain,) = [item for item in service["spec"]["ports"] if item["name"] == "plain"]
    assert (plain["nodePort"], plain["targetPort"]) == (redirect["port"], "plain")
    ingress = {
        key: value for key, value in PLATFORM["ingressController"].items() if key != "redirectPort"
    }
    without = run(MODELS, {**PLATFORM, "ingressController": ingress})
    assert [item["port"] for item in inputs(without, "Listener")] == [443]
    (group,) = inputs(without, "SecurityGroup")
    assert [rule["fromPort"] for rule in group["ingress"]] == [443]
    assert len(inputs(without, "SecurityGroupIngressRule")) == 2


def test_outputs_contain_entry_point(production: Recorder) -> None:
    assert production.outputs["url"] == "https://models.example.com"


# What must never be in a stack.


def pods(recorder: Recorder) -> Iterator[dict[str, Any]]:
    for item in recorder.resources:
        spec = item.inputs.get("spec") if item.token.startswith("kubernetes:") else None
        if isinstance(spec, dict) and "template" in spec:
            yield spec["template"]["spec"]


def test_pods_are_not_privileged(production: Recorder) -> None:
    templates = list(pods(production))
    assert len(templates) == 5
    for pod in templates:
        assert not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
        assert not any("hostPath" in volume for volume in pod.get("volumes", []))
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert not security.get("privileged")
            assert security["capabilities"]["drop"] == ["ALL"]
            assert not security["capabilities"].get("add")


def test_images_are_pinned(production: Recorder) -> None:
    images = [container["image"] for pod in pods(production) for container in pod["containers"]]
    assert images
    for image in images:
        tag = image.rpartition("/")[2].partition(":")[2]
        assert "@sha256:" in image or tag not in ("", "latest"), image


def test_buckets_are_private(production: Recorder) -> None:
    buckets = {item["bucket"] for item in inputs(production, "Bucket")}
    closed = {
        item["bucket"]
        for item in inputs(production, "BucketPublicAccessBlock")
        if all(value is True for key, value in item.items() if key != "bucket")
        and len(item) == len(("bucket", "acls", "policy", "ignored", "restricted"))
    }
    assert buckets == closed
    for policy in inputs(production, "BucketPolicy"):
        for statement in json.loads(policy["policy"])["Statement"]:
            assert statement["Effect"] == "Deny" or statement["Principal"] != "*"


def test_security_groups_open_entry_point_only(production: Recorder) -> None:
    for group in inputs(production, "SecurityGroup"):
        opened = [(rule["fromPort"], rule["toPort"], rule["protocol"]) for rule in group["ingress"]]
        assert opened == [(443, 443, "tcp"), (80, 80, "tcp")]
        assert OPEN not in str(group["egress"])
    rules = inputs(production, "SecurityGroupIngressRule")
    assert all(rule["fromPort"] == rule["toPort"] for rule in rules)
    assert not any("cidrIpv4" in rule for rule in rules)


def test_repositories_have_immutable_tags(production: Recorder) -> None:
    repositories = inputs(production, "Repository")
    assert {item["imageTagMutability"] for item in repositories} == {"IMMUTABLE"}
    assert not any(item.get("forceDelete") for item in repositories)
    for policy in inputs(production, "LifecyclePolicy"):
        for rule in json.loads(policy["policy"])["rules"]:
            assert rule["selection"]["tagStatus"] == "untagged"


def test_stack_reference_path_is_resolved_or_refused() -> None:
    outputs = {"subnets": ["subnet-a", "subnet-b"]}
    assert (
        _nested_output(outputs, ["subnets", "1"], "stack://a/b/c#network.subnets.1") == "subnet-b"
    )
    for path in (["subnets", "2"], ["subnets"], ["vpc"], ["subnets", "x"]):
        with pytest.raises(pulumi.RunError, match="pulumi stack output --stack a/b/c"):
            _nested_output(outputs, path, "stack://a/b/c#network")
