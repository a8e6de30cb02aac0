"""JSON values on their way to R, and R's formals as a signature."""

import json
import threading
import time
from types import SimpleNamespace

import pytest
from model_harness import encoding
from model_harness.call import running
from model_harness.errors import RefusedError
from model_harness_r.errors import TooLongError
from model_harness_r.handler import Formals, caller, signature_of
from model_harness_r.layout import HEADER
from model_harness_r.process import CONDITION, RESULT, Answer
from model_harness_r.reader import read
from model_harness_r.writer import write

NULL = HEADER + b"\xfe\x00\x00\x00"


def formals(**defaults: object) -> Formals:
    """`...` among the names stands for itself; a default of `required` for none."""
    return {
        "names": [name.replace("dots", "...") for name in defaults],
        "required": [value == "required" for value in defaults.values()],
        "known": [value not in ("required", "code") for value in defaults.values()],
        "values": [None if value in ("required", "code") else value for value in defaults.values()],
    }


@pytest.fixture(autouse=True)
def deadline() -> float:
    running.call = SimpleNamespace(deadline=time.perf_counter() + 5)
    return running.call.deadline


class Recorder:
    """In the pool's place: gives one answer, keeps the request."""

    def __init__(self, kind: int = RESULT, data: bytes = NULL) -> None:
        self.answer = Answer(kind, data)
        self.request: object = None
        self.deadline = 0.0

    def __call__(self, request: bytes, deadline: float) -> Answer:
        self.request = read(request)
        self.deadline = deadline
        return self.answer


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


def test_positional_values_get_their_names() -> None:
    pool = Recorder()
    call = caller(pool, signature_of(formals(wt="required", hp=2.0)), 30)
    assert call(1.0) is None
    assert pool.request == {"wt": 1.0}
    call(1.0, 3.0)
    assert pool.request == {"wt": 1.0, "hp": 3.0}
    call(1.0, hp=4.0)
    assert pool.request == {"wt": 1.0, "hp": 4.0}


def test_values_beyond_the_names_stay_without() -> None:
    pool = Recorder()
    call = caller(pool, signature_of(formals(wt="required", dots="required")), 30)
    call(1.0, 3.0, z=5.0)
    assert pool.request == {"wt": 1.0, "2": 3.0, "z": 5.0}


@pytest.mark.parametrize("name", ["", "..."])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    call = caller(Recorder(), signature_of(formals(dots="required")), 30)
    with pytest.raises(RefusedError) as raised:
        call(**{name: 1})
    assert raised.value.status == 400


def test_the_deadline_is_the_requests(deadline: float) -> None:
    pool = Recorder()
    caller(pool, signature_of(formals()), 30)()
    assert pool.deadline == deadline


def test_a_condition_is_raised_under_its_class() -> None:
    names = ("class", "message", "trace")
    data = write(names, ["my.error", "the flower is blue", "f(1)\nstop()"])
    call = caller(Recorder(CONDITION, data), signature_of(formals()), 30)
    with pytest.raises(Exception, match="the flower is blue") as raised:
        call()
    assert type(raised.value).__name__ == "my.error"
    assert raised.value.__notes__ == ["R's calls, the last one last:\nf(1)\nstop()"]


def test_too_long_is_told_with_the_limit() -> None:
    def never(_request: bytes, _deadline: float) -> Answer:
        raise TooLongError

    with pytest.raises(RefusedError) as raised:
        caller(never, signature_of(formals()), 0.5)()
    assert (raised.value.status, raised.value.errors) == (
        504,
        ["the function took longer than 0.5 s"],
    )


def test_calls_of_two_threads_have_their_own_deadlines(deadline: float) -> None:
    pool = Recorder()
    other = threading.Thread(target=lambda: setattr(running, "call", SimpleNamespace(deadline=1.0)))
    other.start()
    other.join()
    caller(pool, signature_of(formals()), 30)()
    assert pool.deadline == deadline
