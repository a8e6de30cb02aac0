"""The state of a version, and what is owed when it changes."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import watcher_objects as shapes
from watcher import objects
from watcher.inventory import Inventory
from watcher.objects import Key
from watcher.transitions import Known, Standing, State, between
from watcher.troubles import MESSAGE_BYTES, shortened

KEY = Key("iris", "v1")
SCHEDULED_AT = 1795383016.0  # 2026-11-22T21:30:16Z
LATER = SCHEDULED_AT + 3600


def inventory(*items: shapes.Object) -> Inventory:
    made = Inventory()
    for item in items:
        data = msgspec.json.encode(item)
        parse = objects.pod if item["kind"] == "Pod" else objects.deployment
        parsed = parse(data)
        assert parsed is not None
        made.apply(parsed, gone=False)
    return made


def stands(*items: shapes.Object, now: float = LATER) -> Standing:
    found = inventory(*items).standing(KEY, now)
    assert found is not None
    return found


def unschedulable() -> shapes.Object:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu",
        "lastTransitionTime": "2026-11-22T21:30:16Z",
    }
    return shapes.pod(conditions=[condition])


def test_a_new_deployment_progresses() -> None:
    assert stands(shapes.deployment()).state is State.PROGRESSING


def test_available_comes_before_all_that_pods_say() -> None:
    told = stands(shapes.deployment(available=True, ready=1), shapes.crash_looping())
    assert (told.state, told.reason, told.message) == (State.AVAILABLE, "", "")


def test_a_crash_loop_is_failed_with_exit_code_and_last_words() -> None:
    told = stands(shapes.deployment(available=False), shapes.crash_looping())
    assert (told.state, told.reason) == (State.FAILED, "CrashLoopBackOff")
    assert told.message == (
        "container model ended with exit code 3, restarted 2 times; "
        "its last words: no such file: model.pkl"
    )


@pytest.mark.parametrize(
    ("container", "state"),
    [
        # the first crash: kubelet starts it again at once
        (shapes.container(terminated=shapes.crashed()), State.PROGRESSING),
        (shapes.container(last=shapes.crashed(), restarts=1), State.PROGRESSING),
        # it runs between two back-offs: the same loop
        (shapes.container(last=shapes.crashed(), restarts=2), State.FAILED),
        (shapes.container(terminated=shapes.crashed(), restarts=2), State.FAILED),
        # it ran for an hour in between: a crash, no loop
        (
            shapes.container(last=shapes.crashed(finishedAt="2026-11-22T22:30:18Z"), restarts=2),
            State.PROGRESSING,
        ),
    ],
)
def test_a_loop_is_one_state_while_the_container_tries_again(
    container: shapes.Object, state: State
) -> None:
    told = stands(shapes.deployment(available=False), shapes.pod(containers=[container]))
    assert told.state is state
    assert "exit code 3" in told.message


def test_out_of_memory_is_named() -> None:
    dead = shapes.container(
        waiting={"reason": "CrashLoopBackOff"},
        last=shapes.crashed(137, "", reason="OOMKilled"),
        restarts=3,
    )
    told = stands(shapes.deployment(available=False), shapes.pod(containers=[dead]))
    assert (told.state, told.reason) == (State.FAILED, "OOMKilled")
    assert "exit code 137 (OOMKilled)" in told.message


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_cannot_be_pulled_is_failed_under_one_reason(reason: str) -> None:
    waiting = {"reason": reason, "message": "not found"}
    told = stands(
        shapes.deployment(available=False),
        shapes.pod(containers=[shapes.container(waiting=waiting)]),
    )
    assert (told.state, told.reason) == (State.FAILED, "ErrImagePull")
    assert told.message == "r/iris@sha256:1: not found"


def test_unschedulable_fails_after_thirty_seconds_and_says_when_to_look_again() -> None:
    declared = shapes.deployment(available=False)
    early, late = SCHEDULED_AT + 29.9, SCHEDULED_AT + 30.0
    assert stands(declared, unschedulable(), now=early).state is State.PROGRESSING
    assert stands(declared, unschedulable(), now=late).state is State.FAILED
    assert stands(declared, unschedulable(), now=late).reason == "Unschedulable"
    assert inventory(declared, unschedulable()).due(KEY, early) == late
    assert inventory(declared, unschedulable()).due(KEY, late) is None


def test_an_exceeded_deadline_is_failed_with_the_pods_reason_if_there_is_one() -> None:
    overdue = shapes.deployment(
        available=False, progressing="ProgressDeadlineExceeded", message="timed out progressing"
    )
    assert stands(overdue).reason == "ProgressDeadlineExceeded"
    probing = shapes.pod(containers=[shapes.container(started=True)])
    told = stands(overdue, probing)
    assert (told.state, told.reason) == (State.FAILED, "ProbeFailing")
    assert told.message.startswith("timed out progressing container model runs")


def test_what_was_available_is_unavailable_and_says_why() -> None:
    told = stands(
        shapes.deployment(available=False, progressing="NewReplicaSetAvailable"),
        shapes.pod(containers=[shapes.container(started=True)]),
    )
    assert (told.state, told.reason) == (State.UNAVAILABLE, "ProbeFailing")


def test_the_newest_pod_speaks_and_one_on_its_way_out_does_not() -> None:
    declared = shapes.deployment(available=False)
    old = shapes.crash_looping(name="old", created="2026-11-22T21:00:00Z")
    new = shapes.pod(name="new", containers=[shapes.container(started=False)])
    leaving = shapes.crash_looping(
        name="leaving", created="2026-11-22T22:00:00Z", deleted="2026-11-22T22:00:01Z"
    )
    assert stands(declared, old, new, leaving).reason == "Starting"
    assert stands(declared, old, leaving).reason == "CrashLoopBackOff"


def test_a_message_has_at_most_a_kibibyte_and_keeps_its_end() -> None:
    words = "ä" * 3000 + " the end"
    dead = shapes.container(
        waiting={"reason": "CrashLoopBackOff"}, last=shapes.crashed(1, words), restarts=2
    )
    told = stands(shapes.deployment(available=False), shapes.pod(containers=[dead]))
    assert len(told.message.encode()) <= MESSAGE_BYTES
    assert told.message.endswith(" the end")
    assert "exit code 1" in told.message


@given(st.text(max_size=600), st.integers(min_value=4, max_value=400))
def test_shortening_never_exceeds_the_limit(text: str, longest: int) -> None:
    short = shortened(text, longest)
    assert len(short.encode()) <= longest
    assert short == text or text.endswith(short.removeprefix("..."))


def test_nothing_is_owed_for_the_same_state() -> None:
    known = Known("uid-1", State.FAILED)
    assert between(known, Standing("uid-1", State.FAILED, reason="other")) == []


def test_a_deployment_made_anew_owes_the_end_of_the_old_one_first() -> None:
    new = Standing("uid-2", State.PROGRESSING)
    owed = between(Known("uid-1", State.AVAILABLE, "image"), new)
    assert owed == [Standing("uid-1", State.DELETED, image="image"), new]
    assert between(Known("uid-1", State.DELETED), new) == [new]


def test_an_end_is_owed_once() -> None:
    assert [one.state for one in between(Known("uid-1", State.FAILED), None)] == [State.DELETED]
    assert between(Known("uid-1", State.DELETED), None) == []
    assert between(None, None) == []


STATES = st.sampled_from([state for state in State if state is not State.DELETED])
STANDINGS = st.none() | st.builds(Standing, st.sampled_from(["a", "b"]), STATES)


@given(st.lists(STANDINGS, max_size=12))
def test_any_story_is_told_in_full_and_without_idle_words(story: list[Standing | None]) -> None:
    known: Known | None = None
    told: list[Standing] = []
    for standing in story:
        for owed in between(known, standing):
            known = Known(owed.uid, owed.state, owed.image)
            told.append(owed)
        if standing is None:
            assert known is None or known.state is State.DELETED
        else:
            assert known == Known(standing.uid, standing.state, standing.image)
    for one, following in pairwise(told):
        assert (one.uid, one.state) != (following.uid, following.state)
        assert one.uid == following.uid or one.state is State.DELETED
