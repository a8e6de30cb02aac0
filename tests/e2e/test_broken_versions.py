"""A version that cannot become Available fails the update with its reason; traffic stays put."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

import pytest

from tests.support import local_stack
from tests.support.local_stack import Object, Outcome
from tests.support.project_copy import MODELS, ProjectCopy
from tests.support.traffic import answering_versions, call

GOOD = "def predict(value):\n    return value\n"
DEADLINE_SECONDS = 30
SLACK_SECONDS = 35.0
"""For the program, the builds of five images, and the Pods' first start."""


@dataclass(frozen=True)
class Broken:
    """One way not to get there, and what the failed update must say of it."""

    version: str
    code: str
    words: tuple[str, ...]
    settings: Object = field(default_factory=dict)


CASES = {
    "a missing import": Broken(
        "v2",
        "import package_that_nobody_wrote\n\n" + GOOD,
        ("Its last words", "imports 'package_that_nobody_wrote', which is not installed"),
    ),
    "an exception at import": Broken(
        "v3",
        "raise RuntimeError('these weights are of another flower')\n" + GOOD,
        ("Its last words", "these weights are of another flower"),
    ),
    "too little memory": Broken(
        "v4",
        "TABLE = b'x' * (512 * 1024 * 1024)\n" + GOOD,
        ("OOMKilled",),
        {"resources": {"cpu": "10m", "memory": "96Mi"}},
    ),
    "never ready": Broken(
        "v5",
        "import time\n\ntime.sleep(3600)\n" + GOOD,
        ("within 20 s", "0 of 1 pods are available"),
        {"deadlineSeconds": 20},
    ),
    "no room": Broken(
        "v6",
        GOOD,
        ("Insufficient cpu",),
        {"resources": {"cpu": "64", "memory": "64Mi"}},
    ),
}


def reasons(outcome: Outcome) -> dict[str, str]:
    """What the engine tells of each failed resource, by name: the part called Diagnostics."""
    told: dict[str, str] = {}
    _, _, diagnostics = outcome.text.partition("Diagnostics:\n")
    name = ""
    for line in diagnostics.splitlines():
        if head := re.fullmatch(r"  \S+ \((\S+)\):", line):
            name = head[1]
        told[name] = told.get(name, "") + line + "\n"
    return told


def publish(copy: ProjectCopy, broken: dict[str, Broken]) -> None:
    """Add these versions to echo and name them all in prod."""
    content = copy.read()
    echo = content["config"][MODELS]["echo"]
    for case in broken.values():
        source = copy.source(f"models/echo/{case.version}", {"predict.py": case.code})
        echo["versions"][case.version] = {
            "source": source,
            "resources": {"cpu": "10m", "memory": "128Mi"},
            "deadlineSeconds": DEADLINE_SECONDS,
            **case.settings,
        }
    weights = {case.version: 10 for case in broken.values()}
    echo["routes"]["prod"]["weights"] = {"v1": 100 - sum(weights.values()), **weights}
    copy.write(content)


@dataclass(frozen=True)
class Failed:
    """A failed update, and the routes from before it."""

    outcome: Outcome
    reasons: dict[str, str]
    routes: dict[str, tuple[str, Object]]


@pytest.fixture(scope="module")
def failed(project_copy: ProjectCopy) -> Failed:
    """All cases in one update; `--continue-on-error` lets each fail by itself."""
    routes = local_stack.routes()
    publish(project_copy, CASES)
    outcome = project_copy.up("--continue-on-error").failed()
    return Failed(outcome, reasons(outcome), routes)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_update_fails_with_the_pods_own_reason(failed: Failed, case: Broken) -> None:
    told = failed.reasons[f"echo-{case.version}"]
    for word in case.words:
        assert word in told


def test_the_update_fails_within_the_deadline(failed: Failed, report: list[str]) -> None:
    report.append(f"pulumi up {failed.outcome.seconds:.1f} s, deadline {DEADLINE_SECONDS} s")
    assert failed.outcome.seconds < DEADLINE_SECONDS + SLACK_SECONDS


def test_the_traffic_stays_where_it_was(failed: Failed) -> None:
    assert local_stack.routes() == failed.routes
    assert answering_versions_of_echo("prod") == {"v1": 20}
    assert answering_versions_of_echo("latest") == {"v1": 20}
    assert answering_versions("iris", "prod", 20).total() == 20


def test_an_image_that_cannot_be_built_fails_the_update_and_moves_nothing(
    failed: Failed, project_copy: ProjectCopy, report: list[str]
) -> None:
    """As users run it: without `--continue-on-error`."""
    package = "package-that-nobody-published==1.2.3"
    content = project_copy.read()
    echo = content["config"][MODELS]["echo"]
    files = {"predict.py": GOOD, "requirements.txt": f"{package}\n"}
    echo["versions"]["v2"] = {"source": project_copy.source("models/echo/v2", files)}
    echo["routes"]["prod"]["weights"] = {"v1": 50, "v2": 50}
    project_copy.write(content)
    outcome = project_copy.up().failed()
    report.append(f"pulumi up {outcome.seconds:.1f} s")
    assert package in reasons(outcome)["echo-v2"]
    assert local_stack.routes() == failed.routes
    assert answering_versions_of_echo("prod") == {"v1": 20}


def test_after_the_mend_the_next_update_passes_and_the_route_moves(
    failed: Failed, project_copy: ProjectCopy, report: list[str]
) -> None:
    good = Broken("v2", GOOD, ())
    publish(project_copy, {"mended": good})
    outcome = project_copy.up().succeeded()
    report.append(f"pulumi up {outcome.seconds:.1f} s")
    assert answering_versions_of_echo("versions/v2") == {"v2": 20}
    assert answering_versions_of_echo("latest") == {"v2": 20}
    time.sleep(0.5)  # Traefik reads the route within 50 ms
    found = answering_versions_of_echo("prod", 60)
    assert found.keys() == {"v1", "v2"}
    names = {name for name in local_stack.declared() if name.startswith("Deployment echo-")}
    assert names == {"Deployment echo-v1", "Deployment echo-v2"}


def answering_versions_of_echo(base: str, count: int = 20) -> dict[str, int]:
    """Like `answering_versions`, with echo's argument."""
    found: dict[str, int] = {}
    for number in range(count):
        answer = call("echo", base, {"value": number})
        assert answer.status_code == 200, answer.text
        assert answer.json()["result"] == number
        version = answer.headers["X-Model-Version"]
        found[version] = found.get(version, 0) + 1
    return found
