"""JSON values on their way to R, and R's formals as a signature."""

import json

import pytest
from model_harness import encoding
from model_harness.errors import RefusedError
from model_harness_r.errors import condition
from model_harness_r.handler import Formals, request_of, signature_of
from model_harness_r.reader import read
from model_harness_r.writer import write


def formals(**defaults: object) -> Formals:
    """`...` among the names stands for itself; a default of `required` for none."""
    return {
        "names": [name.replace("dots", "...") for name in defaults],
        "required": [value == "required" for value in defaults.values()],
        "known": [value not in ("required", "code") for value in defaults.values()],
        "values": [None if value in ("required", "code") else value for value in defaults.values()],
    }


SAME = [
    None,
    True,
    1.5,
    "ä€😀",
    "",
    [],
    {},
    [1.0, None],
    ["a", None, "ä"],
    [True, None],
    [None, None],
    [1.0, "x"],
    [1.0, True],
    [[1.0, 2.0], [3.0, 4.0]],
    [{"a": 1.0}, {}],
    {"ü": {"b": [1.0, {"c": None}]}},
]


@pytest.mark.parametrize("value", SAME, ids=repr)
def test_a_value_comes_back_as_it_went(value: object) -> None:
    result = read(write(("x",), [value]))
    assert json.loads(encoding.encode(result)) == {"x": value}


def test_whole_numbers_become_doubles() -> None:
    assert type(read(write(("x",), [2]))["x"]) is float  # type: ignore[index]


@pytest.mark.parametrize("value", ["a\0b", ["a", "\0"], {"\0": 1}], ids=repr)
def test_a_text_that_r_cannot_hold_is_the_requests_mistake(value: object) -> None:
    with pytest.raises(RefusedError, match="NUL") as raised:
        write(("x",), [value])
    assert raised.value.status == 400


def test_too_deep_a_nest_is_the_requests_mistake() -> None:
    value: object = 1.0
    for _ in range(5000):
        value = [value, "x"]
    with pytest.raises(RefusedError, match="nested too deeply") as raised:
        write(("x",), [value])
    assert raised.value.status == 400


def test_the_signature_is_that_of_the_formals() -> None:
    signature = signature_of(formals(wt="required", hp=2.0, z="code"))
    signature.check_named({"wt": 1})
    assert signature.order == ["wt", "hp", "z"]
    assert signature.required == {"wt"}
    assert signature.parameters["hp"].default == 2.0
    assert not signature.takes_rest


def test_a_part_of_a_name_is_unknown() -> None:
    with pytest.raises(RefusedError) as raised:
        signature_of(formals(wt=1.0)).check_named({"w": 5})
    assert raised.value.errors == ["argument 'w' is unknown; the function takes wt"]


def test_what_stands_behind_dots_goes_by_name_only() -> None:
    signature = signature_of(formals(wt="required", dots="required", digits=3.0))
    assert signature.order == ["wt"]
    assert signature.required == {"wt"}
    assert signature.takes_rest
    assert signature.open_ended
    assert signature.parameters["digits"].by_name


@pytest.mark.parametrize(
    ("positional", "named", "sent"),
    [
        ([1.0], {}, {"wt": 1.0}),
        ([1.0, 3.0], {}, {"wt": 1.0, "hp": 3.0}),
        ([1.0], {"hp": 4.0}, {"wt": 1.0, "hp": 4.0}),
        ([], {"hp": 4.0, "wt": 1.0}, {"hp": 4.0, "wt": 1.0}),
        ([1.0, 3.0, 5.0], {"z": 5.0}, {"wt": 1.0, "hp": 3.0, "3": 5.0, "z": 5.0}),
    ],
)
def test_positional_values_get_their_names(
    positional: list[object], named: dict[str, object], sent: dict[str, object]
) -> None:
    assert read(request_of(("wt", "hp"), (positional, named))) == sent


@pytest.mark.parametrize("name", ["", "..."])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(RefusedError) as raised:
        request_of((), ([], {name: 1}))
    assert raised.value.status == 400


def test_a_condition_is_an_error_under_its_class() -> None:
    error = condition("my.error", "the flower is blue", "f(1)\nstop()")
    assert (type(error).__name__, str(error)) == ("my.error", "the flower is blue")
    assert error.__notes__ == ["R's calls, the last one last:\nf(1)\nstop()"]
