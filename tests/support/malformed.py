"""Nearly valid requests: valid ones of each protocol, changed in a few places."""

import copy

from hypothesis import strategies as st

names = st.sampled_from(["a", "b", "c", "d", "input-0", ""])
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    names,
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
TABLES: list[object] = [
    {"data": {"a": 1.5, "b": 2}},
    {"data": {"a": [1.5], "b": ["x"]}},
    {"parameters": [1.5, 2]},
    {"parameters": [[1.5], [2]]},
    {"instances": [[1.5, 2], [3, 4]]},
    {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}], "params": {}},
    {"instances": [1, 2.5], "params": {"b": 3, "c": "x"}},
    {"inputs": {"a": [1, 2], "b": [3, 4]}},
    {"inputs": [[1, 2]]},
    {"dataframe_records": [{"a": 1, "b": 2}, {"b": 2, "a": 3}]},
    {"dataframe_split": {"columns": ["b", "a"], "index": [0], "data": [[1, 2], [3, 4.5]]}},
]
A = {"name": "a", "datatype": "FP64", "shape": [2], "data": [1.5, None]}
B = {"name": "b", "datatype": "INT8", "shape": [2, 1], "data": [[1], [2]]}
BINARY_A = {"name": "a", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}
BINARY_B = {"name": "b", "datatype": "UINT8", "shape": [2], "parameters": {"binary_data_size": 2}}
TEXTS = {"name": "c", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 10}}
POSITIONAL = {"name": "input-0", "datatype": "INT32", "shape": [2, 2], "data": [1, 2, 3, 4]}
INFERENCES: list[tuple[object, bytes]] = [
    ({"inputs": [A, B], "id": "x"}, b""),
    ({"inputs": [A], "parameters": {"b": 3}}, b""),
    ({"inputs": [BINARY_A, BINARY_B], "parameters": {"binary_data_output": True}}, bytes(10)),
    ({"inputs": [A, TEXTS], "outputs": [{"name": "output-0"}]}, b"\x01\x00\x00\x00x" * 2),
    (
        {
            "inputs": [A, B],
            "outputs": [{"name": "output-0", "parameters": {"binary_data": True}}],
        },
        b"",
    ),
    ({"inputs": [POSITIONAL]}, b""),
]


@st.composite
def mutated(draw: st.DrawFn, templates: list[object]) -> object:
    """Return a valid request with up to three changes."""
    value = copy.deepcopy(draw(st.sampled_from(templates)))
    for _ in range(draw(st.integers(0, 3))):
        value = _mutated(draw, value)
    return value


def _mutated(draw: st.DrawFn, value: object) -> object:
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 7:
        return draw(values)
    key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
    if draw(st.integers(0, 9)) == 7:
        value.pop(key)
    else:
        value[key] = _mutated(draw, value[key])
    return value


HOSTILE = [
    b"[" * 5000,
    b'{"data":' * 500 + b"1" + b"}" * 500,
    b'{"instances":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"parameters":[' + b"[" * 900 + b"]" * 900 + b"]}",
    b'{"inputs":[{"name":"a","datatype":"FP32","shape":[1],"data":'
    + b"[" * 900
    + b"]" * 900
    + b"}]}",
    b'{"inputs":{"a":' + b"[" * 900 + b"]" * 900 + b',"b":[]}}',
    b'{"data":{"a":1e400}}',
    b'{"data":{"a":' + b"9" * 5000 + b"}}",
    b'{"data":{"a":1,"a":2}}',
    b'{"data":{"a":"\\ud800"}}',
    b'\xff{"data":{}}',
    b"",
]
"""Bodies that mutations do not produce."""
