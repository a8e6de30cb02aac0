"""The stack is killed, stopped and destroyed, and restored each time. These tests run last."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.support import local_stack, node_state
from tests.support.local_stack import Object, Outcome
from tests.support.time_limits import at_most
from tests.support.traffic import FLOWER, call

WARM_SECONDS = 120.0
UP_LIMIT_SECONDS = 300.0
ADDRESSES = [
    ("iris", "versions/v1", FLOWER),
    ("iris", "versions/v2", FLOWER),
    ("iris", "latest", FLOWER),
    ("iris", "prod", FLOWER),
    ("echo", "versions/v1", {"value": 1}),
    ("echo", "prod", {"value": 1}),
]


@dataclass(frozen=True)
class StackState:
    """The state that must be equal after each restart."""

    answers: dict[str, object]
    images: dict[str, str]
    state: dict[str, tuple[str, Object]]

    @classmethod
    def now(cls) -> StackState:
        return cls(answers(), local_stack.images(), local_stack.state())


def answers() -> dict[str, object]:
    """Return the result of each path; for `prod`, which either version may answer, only success."""
    results: dict[str, object] = {}
    for model, base, data in ADDRESSES:
        answer = call(model, base, data)
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        results[f"{model}/{base}"] = result if base != "prod" else type(result).__name__
    return results


@pytest.fixture(scope="module")
def initial_state() -> StackState:
    local_stack.settle()
    return StackState.now()


def make_up() -> Outcome:
    return local_stack.make("up", seconds=UP_LIMIT_SECONDS).succeeded()


def changes(outcome: Outcome) -> list[str]:
    """Return the lines of Pulumi's summary with changes, such as `+ 3 created`."""
    lines = (line.strip() for line in outcome.text.splitlines())
    return [
        line
        for line in lines
        if re.fullmatch(r"\S+ \d+ (created|updated|deleted|replaced|imported|to .*)", line)
    ]


@pytest.mark.parametrize("which", ["first", "second"])
def test_make_up_recovers_from_kill_of_all_processes(
    initial_state: StackState, report: list[str], which: str
) -> None:
    assert node_state.kill_all() == node_state.PARTS
    outcome = make_up()
    report.append(f"make up {outcome.seconds:.1f} s")
    assert changes(outcome) == []
    assert local_stack.all_unchanged(initial_state.state) in outcome.text
    assert "ok  image" not in outcome.text.replace("ok  image registry", "")
    assert StackState.now() == initial_state
    assert outcome.seconds < at_most(WARM_SECONDS)


def test_make_down_removes_everything_and_make_up_restores(
    initial_state: StackState, report: list[str]
) -> None:
    down = local_stack.make("down").succeeded()
    leftovers = node_state.leftovers()
    outcome = make_up()
    report.append(f"make down {down.seconds:.1f} s, make up {outcome.seconds:.1f} s")
    assert leftovers == {}
    assert changes(outcome) == []
    assert StackState.now() == initial_state
    assert outcome.seconds < at_most(WARM_SECONDS)


def test_make_up_restores_stack_after_destroy(initial_state: StackState, report: list[str]) -> None:
    destroyed = local_stack.pulumi(
        "destroy", "--yes", "--skip-preview", "--suppress-progress"
    ).succeeded()
    assert local_stack.state() == {}
    outcome = make_up()
    report.append(f"destroy {destroyed.seconds:.1f} s, make up {outcome.seconds:.1f} s")
    now = StackState.now()
    assert now.answers == initial_state.answers
    assert now.images.keys() == initial_state.images.keys()
    assert now.state.keys() == initial_state.state.keys()
    assert outcome.seconds < at_most(WARM_SECONDS)
