"""Serialized arguments for R, and formals of R as a signature."""

import json

import pytest
from model_harness.binding.table_binding import Rows
from model_harness.errors import RequestError
from model_harness.protocols import json_encoding, mlflow
from model_harness_r.handler import Formals, encode_request, signature_of
from model_harness_r.pool.errors import condition_error
from model_harness_r.serialization.deserialize import deserialize
from model_harness_r.serialization.serialize import NA, na_of_column, serialize


def formals(**defaults: object) -> Formals:
    """Return formals: `dots` is named `...`, `required` has no default, `code` no constant one."""
    return {
        "names": [name.replace("dots", "...") for name in defaults],
        "required": [value == "required" for value in defaults.values()],
        "constant": [value not in ("required", "code") for value in defaults.values()],
        "values": [None if value in ("required", "code") else value for value in defaults.values()],
    }


ROUND_TRIP_VALUES = [
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
    [{"a": 1.0, "b": "x"}, {"a": None, "b": "y"}],
    [{"a": None}],
    [{"a": True}, {"a": "mixed"}],
    [{"a": 1.0}, None],
    [{"a": [1.0, 2.0]}, {"a": [3.0, 4.0]}],
    [{}, {}],
    [[{"a": 1.0}, {"a": 2.0}], "x"],
    {"ü": {"b": [1.0, {"c": None}]}},
]


@pytest.mark.parametrize("value", ROUND_TRIP_VALUES, ids=repr)
def test_value_survives_round_trip(value: object) -> None:
    result = deserialize(serialize(("x",), [value]))
    assert json.loads(json_encoding.encode(result)) == {"x": value}


def test_rows_of_equal_names_become_columns_in_order_of_first_row() -> None:
    same_order = serialize(("x",), [[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]])
    assert serialize(("x",), [[{"a": 1, "b": "x"}, {"b": "y", "a": 2}]]) == same_order
    assert b"data.frame" in same_order


@pytest.mark.parametrize(
    "value", [[{"a": 1}, {"b": 1}], [{"a": [1]}], [{"a": {}}], [{"a": 1}, None], [{"a": 1}, 2]]
)
def test_other_array_of_objects_is_no_data_frame(value: object) -> None:
    assert b"data.frame" not in serialize(("x",), [value])


@pytest.mark.parametrize(
    ("kind", "na"),
    [
        (float, NA.NUMBER),
        (type(None), NA.NUMBER),
        (str, NA.TEXT),
        (bool, NA.LOGICAL),
        (object, NA.LOGICAL),
        (list, NA.LOGICAL),
    ],
)
def test_na_has_type_of_its_column(kind: type, na: NA) -> None:
    assert na_of_column(kind) is na


TABLES_WITH_NULLS = [
    ({"dataframe_split": {"columns": ["wt", "hp"], "data": [[2, 110], [3, None]]}}, NA.NUMBER),
    ({"dataframe_records": [{"wt": 2, "hp": "a"}, {"wt": 3, "hp": None}]}, NA.TEXT),
    ({"instances": [{"wt": 2, "hp": True}, {"hp": None, "wt": 3}]}, NA.LOGICAL),
    ({"inputs": {"wt": [2, 3], "hp": [None, None]}}, NA.NUMBER),
]


@pytest.mark.parametrize(("request_json", "na"), TABLES_WITH_NULLS)
def test_null_cell_of_table_is_na(request_json: object, na: NA) -> None:
    signature = signature_of(formals(wt="required", hp="required"))
    rows = mlflow.arguments(json.dumps(request_json).encode(), signature)
    assert isinstance(rows, Rows)
    assert [*rows.calls][1] == ([], {"wt": 3, "hp": na})


@pytest.mark.parametrize(
    ("instances", "last"),
    [([[2, "a"], [3, None]], [3, NA.TEXT]), ([1, None], [NA.NUMBER]), ([[1], [2, None]], None)],
)
def test_null_cell_of_row_without_names_is_na(instances: object, last: object) -> None:
    signature = signature_of(formals(wt="required", hp=1.0))
    rows = mlflow.arguments(json.dumps({"instances": instances}).encode(), signature)
    assert isinstance(rows, Rows)
    assert [*rows.calls][1] == (last or [2, NA.NUMBER], {})


def test_null_outside_cells_stays_null() -> None:
    signature = signature_of(formals(wt="required", hp="required"))
    body = b'{"dataframe_records": [{"wt": [null, {"a": null}]}], "params": {"hp": null}}'
    rows = mlflow.arguments(body, signature)
    assert isinstance(rows, Rows)
    assert [*rows.calls] == [([], {"wt": [None, {"a": None}], "hp": None})]


def test_integer_becomes_double() -> None:
    assert type(deserialize(serialize(("x",), [2]))["x"]) is float  # type: ignore[index]


@pytest.mark.parametrize("value", ["a\0b", ["a", "\0"], {"\0": 1}], ids=repr)
def test_string_with_nul_is_a_request_error(value: object) -> None:
    with pytest.raises(RequestError, match="NUL") as raised:
        serialize(("x",), [value])
    assert raised.value.status == 400


def test_deep_nesting_is_a_request_error() -> None:
    value: object = 1.0
    for _ in range(5000):
        value = [value, "x"]
    with pytest.raises(RequestError, match="nested too deeply") as raised:
        serialize(("x",), [value])
    assert raised.value.status == 400


def test_signature_has_names_and_defaults_of_formals() -> None:
    signature = signature_of(formals(wt="required", hp=2.0, z="code"))
    signature.check_named({"wt": 1})
    assert signature.order == ["wt", "hp", "z"]
    assert signature.required == {"wt"}
    assert signature.parameters["hp"].default == 2.0
    assert not signature.accepts_extra


def test_signature_refuses_partial_name() -> None:
    with pytest.raises(RequestError) as raised:
        signature_of(formals(wt=1.0)).check_named({"w": 5})
    assert raised.value.errors == ["argument 'w' is unknown; the function takes wt"]


def test_formals_after_dots_are_keyword_only() -> None:
    signature = signature_of(formals(wt="required", dots="required", digits=3.0))
    assert signature.order == ["wt"]
    assert signature.required == {"wt"}
    assert signature.accepts_extra
    assert signature.accepts_varargs
    assert signature.parameters["digits"].keyword_only


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
def test_positional_values_are_sent_with_names(
    positional: list[object], named: dict[str, object], sent: dict[str, object]
) -> None:
    assert deserialize(encode_request(("wt", "hp"), (positional, named))) == sent


@pytest.mark.parametrize("name", ["", "..."])
def test_empty_or_dots_name_is_refused(name: str) -> None:
    with pytest.raises(RequestError) as raised:
        encode_request((), ([], {name: 1}))
    assert raised.value.status == 400


def test_condition_error_has_name_of_class_and_trace() -> None:
    error = condition_error("my.error", "the flower is blue", "f(1)\nstop()")
    assert (type(error).__name__, str(error)) == ("my.error", "the flower is blue")
    assert error.__notes__ == ["R's calls, most recent last:\nf(1)\nstop()"]
