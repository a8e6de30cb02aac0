"""Arguments of the AWS resource types, and their comparison with the values in AWS."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.pulumi.plugins.aws.configuration import clients, is_loopback
from local.pulumi.plugins.aws.resource_type import Shape
from local.pulumi.plugins.aws.resource_types import RESOURCE_TYPES
from local.pulumi.plugins.aws.resources import AwsResources
from local.pulumi.plugins.aws.shape import normalize_like, unmet_inputs, unsupported_paths
from local.pulumi.plugins.resource import PluginError, ResourceRequest


def call(token: str, inputs: dict[str, Any], **more: Any) -> ResourceRequest:
    return ResourceRequest(urn=f"urn:pulumi:test::test::{token}::thing", inputs=inputs, **more)


def check(token: str, inputs: dict[str, Any]) -> list[str]:
    result = asyncio.run(AwsResources().check(call(token, inputs)))
    return [path for path, _ in result.failures]


def full(shape: Shape) -> dict[str, Any]:
    return {key: "x" if inner is None else [full(inner)] for key, inner in shape.items()}


@pytest.mark.parametrize("token", RESOURCE_TYPES)
def test_every_type_accepts_its_arguments_only(token: str) -> None:
    everything = full(RESOURCE_TYPES[token].arguments)
    assert check(token, everything) == []
    assert check(token, {**everything, "tags": {"a": "b"}}) == ["tags"]


def test_unsupported_nested_argument_is_refused_with_path() -> None:
    shape: Shape = {"rules": {"filter": {"prefix": None}}}
    inputs = {"rules": [{"filter": {"prefix": ""}}, {"filter": {"tag": "x"}, "id": "a"}]}
    assert unsupported_paths(inputs, shape) == ["rules[1].filter.tag", "rules[1].id"]


def test_unknown_type_is_refused() -> None:
    with pytest.raises(PluginError, match="has no aws:rds/instance:Instance"):
        check("aws:rds/instance:Instance", {})


def test_unmet_inputs_lists_dropped_and_changed_arguments() -> None:
    expected = {
        "port": 443,
        "policy": '{"a": ["b"]}',
        "subnets": ["x", "y"],
        "check": {"path": "/"},
    }
    actual = {
        "port": 443,
        "policy": '{"a":"b"}',
        "subnets": ["y", "x"],
        "check": {"path": "/", "z": 1},
    }
    assert unmet_inputs(expected, actual) == []
    assert unmet_inputs(expected, {**actual, "port": 80}) == ["port: expected 443, AWS has 80"]
    assert [line.split(":")[0] for line in unmet_inputs(expected, {**actual, "check": {}})] == [
        "check"
    ]
    assert [line.split(":")[0] for line in unmet_inputs(expected, {"port": 443})] == [
        "policy",
        "subnets",
        "check",
    ]


def test_additional_rule_is_a_difference() -> None:
    assert normalize_like(["a"], ["a", "b"]) == ["a", "b"]
    assert normalize_like(["a", "a"], ["a", "b"]) == ["a", "b"]


def test_generated_name_is_kept() -> None:
    resources = AwsResources()
    token = "aws:lb/loadBalancer:LoadBalancer"
    first = asyncio.run(resources.check(call(token, {}, seed=b"1"))).inputs
    again = asyncio.run(resources.check(call(token, {}, seed=b"2", old_inputs=first))).inputs
    assert first == again
    assert len(str(first["name"])) <= 32


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:5000", True),
        ("http://[::1]:5000", True),
        ("http://localhost:5000", True),
        ("https://ec2.eu-central-1.amazonaws.com", False),
        ("http://10.0.0.1:5000", False),
        ("http://169.254.169.254", False),
        ("http://localhost.example.com", False),
        ("http://localhost@example.com", False),
        ("nonsense", False),
    ],
)
def test_only_loopback_endpoints_are_accepted(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"endpoints": '[{"s3": "https://s3.amazonaws.com"}]'}, "not on this machine"),
        ({"profile": "prod"}, "aws:profile"),
        ({"endpoints": '[{"s3": "http://127.0.0.1:1"}]', "s3UsePathStyle": "false"}, "s3UsePath"),
        ({"endpoints": '[{"s3": "http://[::1]:1"}]', "allowedAccountIds": '["1"]'}, "allowed"),
    ],
)
def test_clients_refuse_unsupported_settings(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        clients({f"aws:config:{key}": value for key, value in settings.items()})


def test_without_endpoint_there_are_no_clients() -> None:
    assert clients({"aws:config:region": "eu-central-1"}) is None


def test_diff_replaces_only_by_what_aws_cannot_change() -> None:
    token = "aws:ecr/repository:Repository"
    old = {"name": "a", "imageTagMutability": "MUTABLE"}
    new = {"name": "a", "imageTagMutability": "IMMUTABLE"}
    result = asyncio.run(AwsResources().diff(call(token, new, old_inputs=old)))
    assert (result.changes, result.replaces) == ({"imageTagMutability"}, set())
    result = asyncio.run(AwsResources().diff(call(token, {**old, "name": "b"}, old_inputs=old)))
    assert (result.changes, result.replaces, result.delete_first) == ({"name"}, {"name"}, True)
