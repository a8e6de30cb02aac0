"""Properties between the engine and the plugins."""

from __future__ import annotations

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from local.plugins.differences import Change, compare
from local.plugins.paths import covers, parse, render, touches
from local.plugins.values import (
    UNKNOWN,
    Secret,
    UnsupportedValueError,
    decode,
    encode,
    has_secret,
    has_unknown,
    mark_like,
    reveal,
)

leaves = st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | inner.map(Secret)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), trees, max_size=4))
def test_what_is_encoded_is_decoded_again(properties: dict[str, object]) -> None:
    assert decode(encode(properties)) == properties  # type: ignore[arg-type]


def test_whole_numbers_stay_whole_and_others_do_not() -> None:
    decoded = decode(encode({"port": 8080, "share": 0.5}))
    assert decoded == {"port": 8080, "share": 0.5}
    assert isinstance(decoded["port"], int)


def test_nulls_disappear() -> None:
    assert decode(encode({"a": None, "b": {"c": None}})) == {"b": {}}


def test_an_asset_is_refused() -> None:
    asset = struct_pb2.Struct()
    asset.update({"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17"})
    properties = struct_pb2.Struct(fields={"x": struct_pb2.Value(struct_value=asset)})
    with pytest.raises(UnsupportedValueError):
        decode(properties)


def test_unknowns_and_secrets_are_found_at_any_depth() -> None:
    assert has_unknown({"a": [{"b": Secret(UNKNOWN)}]})
    assert not has_unknown({"a": [{"b": "known"}]})
    assert has_secret({"a": [{"b": Secret("x")}]})
    assert not has_secret({"a": [{"b": "x"}]})


def test_revealing_leaves_no_mark() -> None:
    assert reveal(Secret({"a": [Secret("x"), 1]})) == {"a": ["x", 1]}


def test_secrets_are_marked_key_by_key_but_a_list_as_a_whole() -> None:
    example = {"plain": "1", "deep": {"key": Secret("k")}, "list": ["a", Secret("b")]}
    plain = {"plain": "2", "deep": {"key": "q", "other": "o"}, "list": ["b", "a"], "new": 1}
    assert mark_like(plain, example) == {
        "plain": "2",
        "deep": {"key": Secret("q"), "other": "o"},
        "list": Secret(["b", "a"]),
        "new": 1,
    }


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("spec.replicas", ("spec", "replicas")),
        ("spec.containers[0].image", ("spec", "containers", 0, "image")),
        ('metadata.annotations["a.b/c"]', ("metadata", "annotations", "a.b/c")),
        ("spec.containers[*].image", ("spec", "containers", "*", "image")),
    ],
)
def test_property_paths_are_read(path: str, steps: tuple[str | int, ...]) -> None:
    assert parse(path) == steps


def test_a_rendered_path_reads_as_itself() -> None:
    path = ("metadata", "annotations", 'a."b"', 3, "c")
    assert parse(render(path)) == path


def test_covering_is_at_or_below_and_touching_also_above() -> None:
    pattern = parse("spec.selector")
    assert covers(pattern, ("spec", "selector", "matchLabels"))
    assert not covers(pattern, ("spec",))
    assert touches(pattern, ("spec",))
    assert not touches(pattern, ("spec", "replicas"))
    assert covers(parse("spec.containers[*].image"), ("spec", "containers", 2, "image"))


def test_differences_are_added_deleted_and_updated_places() -> None:
    old = {"a": 1, "b": {"c": [1, 2]}, "gone": "x"}
    new = {"a": 2, "b": {"c": [1, 3, 4]}, "new": {}}
    assert set(compare(old, new)) == {
        Change(("a",), "update"),
        Change(("b", "c", 1), "update"),
        Change(("b", "c", 2), "add"),
        Change(("gone",), "delete"),
        Change(("new",), "add"),
    }


def test_true_is_not_one() -> None:
    assert compare({"a": 1}, {"a": True}) == [Change(("a",), "update")]


@given(trees.map(reveal))
def test_nothing_differs_from_itself(tree: object) -> None:
    assert compare({"x": tree}, {"x": tree}) == []  # type: ignore[dict-item]
