"""An argument of AWS's types is passed on or refused; what AWS holds otherwise is a failure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local.plugins.aws.configuration import Configured, is_loopback
from local.plugins.aws.kind import Shape
from local.plugins.aws.kinds import KINDS
from local.plugins.aws.resources import AwsResources
from local.plugins.aws.shape import in_form_of, not_kept, unknown
from local.plugins.failures import PluginError
from local.plugins.resource import Call


def call(token: str, inputs: dict[str, Any], **more: Any) -> Call:
    return Call(urn=f"urn:pulumi:test::test::{token}::thing", inputs=inputs, **more)


def check(token: str, inputs: dict[str, Any]) -> list[str]:
    found = asyncio.run(AwsResources(Configured()).check(call(token, inputs)))
    return [path for path, _ in found.failures]


def full(shape: Shape) -> dict[str, Any]:
    return {key: "x" if inner is None else [full(inner)] for key, inner in shape.items()}


@pytest.mark.parametrize("token", KINDS)
def test_every_type_takes_its_arguments_and_refuses_any_other(token: str) -> None:
    everything = full(KINDS[token].arguments)
    assert check(token, everything) == []
    assert check(token, {**everything, "tags": {"a": "b"}}) == ["tags"]


def test_an_argument_deep_inside_is_refused_by_its_path() -> None:
    shape: Shape = {"rules": {"filter": {"prefix": None}}}
    given = {"rules": [{"filter": {"prefix": ""}}, {"filter": {"tag": "x"}, "id": "a"}]}
    assert unknown(given, shape) == ["rules[1].filter.tag", "rules[1].id"]


def test_a_type_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(PluginError, match="has no aws:rds/instance:Instance"):
        check("aws:rds/instance:Instance", {})


def test_what_aws_dropped_or_changed_is_told() -> None:
    asked = {"port": 443, "policy": '{"a": ["b"]}', "subnets": ["x", "y"], "check": {"path": "/"}}
    held = {
        "port": 443,
        "policy": '{"a":"b"}',
        "subnets": ["y", "x"],
        "check": {"path": "/", "z": 1},
    }
    assert not_kept(asked, held) == []
    assert not_kept(asked, {**held, "port": 80}) == ["port: asked for 443, holds 80"]
    assert [line.split(":")[0] for line in not_kept(asked, {**held, "check": {}})] == ["check"]
    assert [line.split(":")[0] for line in not_kept(asked, {"port": 443})] == [
        "policy",
        "subnets",
        "check",
    ]


def test_a_rule_too_many_is_a_difference() -> None:
    assert in_form_of(["a"], ["a", "b"]) == ["a", "b"]
    assert in_form_of(["a", "a"], ["a", "b"]) == ["a", "b"]


def test_a_name_stays_once_it_is_made() -> None:
    resources = AwsResources(Configured())
    token = "aws:lb/loadBalancer:LoadBalancer"
    first = asyncio.run(resources.check(call(token, {}, seed=b"1"))).inputs
    again = asyncio.run(resources.check(call(token, {}, seed=b"2", old_inputs=first))).inputs
    assert first == again
    assert len(str(first["name"])) <= 32


@pytest.mark.parametrize(
    ("address", "ours"),
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
def test_only_this_machine_is_spoken_to(address: str, ours: bool) -> None:
    assert is_loopback(address) is ours
