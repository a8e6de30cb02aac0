"""Properties between the engine and the plugins."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.pulumi.plugins.docker.resources import DockerResources
from local.pulumi.plugins.properties import decode, encode
from local.pulumi.plugins.resource import ResourceRequest

leaves = st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), trees, max_size=4))
def test_decode_reverses_encode(properties: dict[str, object]) -> None:
    assert decode(encode(properties)) == properties  # type: ignore[arg-type]


def test_decode_keeps_whole_numbers_whole() -> None:
    decoded = decode(encode({"port": 8080, "share": 0.5}))
    assert decoded == {"port": 8080, "share": 0.5}
    assert isinstance(decoded["port"], int)


def test_decode_drops_nulls() -> None:
    assert decode(encode({"a": None, "b": {"c": None}})) == {"b": {}}


def test_type_and_name_come_from_the_urn() -> None:
    call = ResourceRequest(urn="urn:pulumi:s::p::a:b:C$docker:index/image:Image::iris-v1::x")
    assert (call.type, call.name) == ("docker:index/image:Image", "iris-v1::x")


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1}, set()),
        ({"a": 1, "b": {"c": [1]}}, {"a": 2, "b": {"c": [2]}}, {"a", "b"}),
        ({"gone": 1}, {"new": 1}, {"gone", "new"}),
        ({"registry": {"password": "a"}}, {"registry": {"password": "b"}}, set()),
        ({"registry": {"server": "a"}}, {"registry": {"server": "b"}}, {"registry"}),
    ],
)
def test_diff_names_top_level_properties_but_no_login(
    old: dict[str, object], new: dict[str, object], changes: set[str]
) -> None:
    call = ResourceRequest(urn="", old_inputs=old, inputs=new)  # type: ignore[arg-type]
    assert asyncio.run(DockerResources().diff(call)).changes == changes
