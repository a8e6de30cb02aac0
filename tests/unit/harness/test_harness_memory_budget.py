"""The memory that request bodies may take, and errors and arrays that stay small."""

import json
import os
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from model_harness.binding.signature import Signature
from model_harness.errors import RequestError
from model_harness.http import memory_budget
from model_harness.http.memory_budget import MemoryBudget, estimate
from model_harness.protocols import mlflow
from model_harness.protocols.domino import Domino
from model_harness.settings import Settings

DOMINO = Domino(Settings("iris", "v1", "predict:predict"))
MIB = 2**20

BODIES = {
    "empty objects": b"[" + b",".join([b"{}"] * 300_000) + b"]",
    "nested arrays": b"[" + b",".join([b"[[]]"] * 200_000) + b"]",
    "objects with one key": b"[" + b",".join([b'{"a":0}'] * 120_000) + b"]",
    "nested objects": b"[" + b",".join([b'{"a":{"b":1}}'] * 80_000) + b"]",
    "many names": b"{" + b",".join(b'"%x":0' % n for n in range(100_000)) + b"}",
    "floats": b"[" + b",".join([b"1.5"] * 250_000) + b"]",
    "short strings": b"[" + b",".join([b'"a"'] * 250_000) + b"]",
    "a long string": b'["' + b"a" * 1_000_000 + b'"]',
    "a wide string": b'["' + b"a" * 1_000_000 + "😀".encode() + b'"]',
    "an escaped wide string": b'["' + b"a" * 1_000_000 + b'\\ud83d\\ude00"]',
    "a table": json.dumps([[5.1, 3.5, 1.4, 0.2]] * 50_000).encode(),
}


def values_of(body: bytes) -> int:
    """Return the bytes of the decoded values."""
    tracemalloc.start()
    try:
        value = orjson.loads(body)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert value
    return size


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_estimate_is_upper_bound_of_values(body: bytes) -> None:
    assert values_of(body) <= estimate(body)


@pytest.mark.parametrize("seed", range(20))
def test_estimate_is_upper_bound_of_random_values(seed: int) -> None:
    chance = random.Random(seed)
    parts: list[Callable[[], object]] = [
        dict,
        list,
        chance.random,
        lambda: chance.randrange(10**6),
        lambda: {"a": chance.random()},
        lambda: {str(chance.random()): []},
        lambda: [[[]]],
        lambda: "x" * chance.randrange(10),
        lambda: "ü" * chance.randrange(10),
    ]
    kinds = chance.sample(parts, 3)
    body = orjson.dumps([chance.choice(kinds)() for _ in range(20_000)])
    assert values_of(body) <= estimate(body)


def test_body_over_whole_budget_gets_413_and_over_free_budget_429() -> None:
    budget = MemoryBudget()
    budget.limit(50 * MIB)
    with pytest.raises(RequestError) as caught:
        budget.reserve(b"[" + b"{}," * 10**6 + b"0]")
    assert caught.value.status == 413
    assert "raise resources.memory" in caught.value.errors[0]
    body = BODIES["empty objects"]
    reserved = budget.reserve(body)
    assert reserved > 25 * MIB
    with pytest.raises(RequestError) as caught:
        budget.reserve(body)
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "1"})
    budget.release(reserved)
    assert budget.reserve(body) == reserved


def test_factor_of_language_multiplies_estimate() -> None:
    budget = MemoryBudget()
    budget.limit(200 * MIB, 3)
    body = BODIES["floats"]
    assert budget.reserve(body) == 3 * estimate(body)


def test_small_bodies_and_unlimited_containers_reserve_nothing() -> None:
    budget = MemoryBudget()
    assert budget.reserve(BODIES["floats"]) == 0
    budget.limit(50 * MIB)
    assert budget.reserve(b"{}" * 2000) == 0


@pytest.mark.parametrize(
    ("text", "limit"), [("268435456\n", 2**28), ("max\n", None), ("9223372036854771712\n", None)]
)
def test_memory_limit_is_that_of_cgroup(tmp_path: Path, text: str, limit: int | None) -> None:
    file = tmp_path / "memory.max"
    file.write_text(text)
    assert memory_budget.memory_limit([tmp_path / "missing", file]) == limit


def test_container_budget_is_limit_without_margin_and_used_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_budget, "memory_limit", lambda: 2**40)
    single, shared = memory_budget.container_budget(1), memory_budget.container_budget(2)
    assert single is not None
    assert shared is not None
    assert 0 < 0.9 * 2**40 - single < 2**34
    assert 0.4 < shared / single < 0.5
    assert os.getpid()


def predict(x: float) -> float:
    return x


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":{' + b",".join(b'"%x":0' % n for n in range(200_000)) + b"}}",
        b"{" + b",".join(b'"%x":0' % n for n in range(200_000)) + b"}",
    ],
    ids=["arguments", "keys"],
)
def test_many_wrong_names_build_few_sentences(body: bytes) -> None:
    signature = Signature.of(predict, "f")
    size = values_of(body)
    tracemalloc.start()
    with pytest.raises(RequestError) as caught:
        DOMINO.arguments(body, signature)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * size  # the old table of names exists while the new one is filled
    assert len(caught.value.errors) == 21
    assert caught.value.errors[-1] in {"and 199980 more", "and 199981 more"}


def strings(x: np.ndarray) -> object:
    return x


@pytest.mark.parametrize(
    "values",
    [["a" * 40_000] + [""] * 4_000, [["a" * 40_000, ""]] + [["", ""]] * 2_000],
    ids=["flat", "matrix"],
)
def test_strings_of_different_lengths_take_no_padding(values: list[object]) -> None:
    arguments = {"x": values}
    Signature.of(strings, "f").check_named(arguments)
    array = arguments["x"]
    assert isinstance(array, np.ndarray)
    assert array.dtype == object
    assert array.tolist() == values


def test_similar_strings_are_a_string_array() -> None:
    arguments: dict[str, object] = {"x": ["setosa", "virginica"]}
    Signature.of(strings, "f").check_named(arguments)
    array = arguments["x"]
    assert isinstance(array, np.ndarray)
    assert array.dtype.kind == "U"


@pytest.mark.parametrize("value", [[["a"], ["b", "c"]], ["a" * 1000, *[""] * 99, [""]], [1, "a"]])
def test_strings_of_no_shape_are_refused(value: object) -> None:
    with pytest.raises(RequestError):
        Signature.of(strings, "f").check_named({"x": value})


def table(frame: pd.DataFrame) -> int:
    return len(frame)


def test_rows_with_different_names_are_refused() -> None:
    body = json.dumps({"dataframe_records": [{str(n): 1} for n in range(8_000)]}).encode()
    with pytest.raises(RequestError, match="too many different names") as caught:
        mlflow.arguments(body, Signature.of(table, "f"))
    assert caught.value.status == 400


def test_rows_with_some_missing_names_are_a_table() -> None:
    body = json.dumps({"dataframe_records": [{"a": 1}, {"b": 2}, {"a": 3, "b": 4}]}).encode()
    invocation = mlflow.arguments(body, Signature.of(table, "f"))
    assert isinstance(invocation, tuple)
    (frame,) = invocation[1].values()
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (3, 2)
