"""After `make up`, nothing changes: neither by another update nor in the work tree."""

from __future__ import annotations

from tests.support import local_stack
from tests.support.time_limits import at_most

NOTHING_TO_DO_SECONDS = 15.0


def test_make_up_without_changes_is_fast(report: list[str]) -> None:
    objects, state = local_stack.declared(), local_stack.state()
    outcome = local_stack.make("up").succeeded()
    report.append(f"{outcome.seconds:.1f} s")
    assert local_stack.declared() == objects
    assert local_stack.state() == state
    assert local_stack.all_unchanged(state) in outcome.text
    assert '"species":"setosa"' in outcome.text
    assert "http://localhost:8000/models/iris/prod/model" in outcome.text
    assert outcome.seconds < at_most(NOTHING_TO_DO_SECONDS)


def test_preview_shows_no_changes(report: list[str]) -> None:
    outcome = local_stack.pulumi("preview", "--expect-no-changes").succeeded()
    report.append(f"{outcome.seconds:.1f} s")


def test_refresh_shows_no_changes(report: list[str]) -> None:
    state = local_stack.state()
    outcome = local_stack.pulumi(
        "refresh", "--yes", "--skip-preview", "--suppress-progress", "--expect-no-changes"
    ).succeeded()
    report.append(f"{outcome.seconds:.1f} s")
    assert local_stack.state() == state
