"""A version that cannot become Available fails the update with its reason; routes do not change."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support import local_stack
from tests.support.local_stack import Object, Outcome
from tests.support.project_copy import MODELS, ProjectCopy
from tests.support.time_limits import at_most
from tests.support.traffic import answering_versions, call

GOOD = "def predict(value):\n    return value\n"
DEADLINE_SECONDS = 30
EVICTION_SECONDS = 60
"""The local kubelet measures emptyDir volumes every 10 s (`volumeStatsAggPeriod`)."""
SLACK_SECONDS = 35.0
"""Seconds for the program, image builds, and the Pods' first start."""
QUOTA = "no-gpus"
ABSENT_IMAGE = "localhost:5000/models/none@sha256:" + "0" * 64

FILL_TMP = """\
import time

with open("/tmp/fill", "wb") as file:
    for _ in range(200):
        file.write(bytes(1024 * 1024))
time.sleep(3600)
"""


@dataclass(frozen=True)
class Broken:
    """A broken version, and the expected text of the failed update.

    `code` is None for a version with an image in `settings`.
    """

    version: str
    code: str | None
    expected_text: tuple[str, ...]
    settings: Object = field(default_factory=dict)


CASES = {
    "missing import": Broken(
        "v3",
        "import package_that_nobody_wrote\n\n" + GOOD,
        ("termination message: ", "imports 'package_that_nobody_wrote', which is not installed"),
    ),
    "exception at import": Broken(
        "v4",
        "raise RuntimeError('these weights are of another flower')\n" + GOOD,
        ("termination message: ", "these weights are of another flower"),
    ),
    "crash": Broken(
        "v5",
        "import os\n\nos._exit(3)\n" + GOOD,
        ("container model exited with code 3 (Error)",),
    ),
    "out of memory": Broken(
        "v6",
        "TABLE = b'x' * (512 * 1024 * 1024)\n" + GOOD,
        ("OOMKilled",),
        {"resources": {"cpu": "10m", "memory": "96Mi"}},
    ),
    "never ready": Broken(
        "v7",
        "import time\n\ntime.sleep(3600)\n" + GOOD,
        (
            "containers with unready status: [model]",
            "did not become Available within 20 s",
            "container model runs, its startup probe has not succeeded",
        ),
        {"deadlineSeconds": 20},
    ),
    "no room": Broken(
        "v8",
        GOOD,
        ("Unschedulable", "Insufficient cpu"),
        {"resources": {"cpu": "64", "memory": "64Mi"}},
    ),
    "image not found": Broken(
        "v9",
        None,
        (f"ErrImagePull: cannot pull image {ABSENT_IMAGE}", "not found"),
        {"image": ABSENT_IMAGE},
    ),
    # a quota of GPUs refuses only this version's Pods
    "quota": Broken(
        "v10",
        GOOD,
        ("FailedCreate", f"exceeded quota: {QUOTA}"),
        {"resources": {"cpu": "10m", "memory": "64Mi", "gpu": 1}},
    ),
}

EVICTED = Broken(
    "v3",
    FILL_TMP + GOOD,
    ("Evicted", 'EmptyDir volume "tmp" exceeds the limit "128Mi"'),
    {"deadlineSeconds": EVICTION_SECONDS},
)


def reasons(outcome: Outcome) -> dict[str, str]:
    """Return the engine's diagnostics by name of the failed resource."""
    reasons: dict[str, str] = {}
    _, _, diagnostics = outcome.text.partition("Diagnostics:\n")
    name = ""
    for line in diagnostics.splitlines():
        if head := re.fullmatch(r"  \S+ \((\S+)\):", line):
            name = head[1]
        reasons[name] = reasons.get(name, "") + line + "\n"
    return reasons


def publish(copy: ProjectCopy, broken: dict[str, Broken]) -> None:
    """Add these versions to echo and to route prod."""
    content = copy.read()
    echo = content["config"][MODELS]["echo"]
    for case in broken.values():
        folder = f"models/echo/{case.version}"
        source = {"source": copy.source(folder, {"predict.py": case.code})} if case.code else {}
        echo["versions"][case.version] = {
            **source,
            "resources": {"cpu": "10m", "memory": "128Mi"},
            "deadlineSeconds": DEADLINE_SECONDS,
            **case.settings,
        }
    weights = {case.version: 10 for case in broken.values()}
    echo["routes"]["prod"]["weights"] = {"v1": 100 - sum(weights.values()), **weights}
    copy.write(content)


@dataclass(frozen=True)
class Failed:
    """A failed update, and the routes before it."""

    outcome: Outcome
    reasons: dict[str, str]
    routes: dict[str, tuple[str, Object]]


@pytest.fixture(scope="module")
def quota() -> Iterator[None]:
    """Create a quota of no GPUs and wait until it is enforced."""
    try:
        local_stack.kubectl("create", "quota", QUOTA, "--hard=requests.nvidia.com/gpu=0")
        local_stack.kubectl(
            "wait", f"quota/{QUOTA}", "--for=jsonpath={.status.hard}", "--timeout=30s"
        )
        yield
    finally:
        local_stack.kubectl("delete", "quota", QUOTA, "--ignore-not-found")


@pytest.fixture(scope="module")
def failed(project_copy: ProjectCopy, quota: None) -> Failed:
    """Deploy all cases in one update with `--continue-on-error`."""
    routes = local_stack.routes()
    publish(project_copy, CASES)
    outcome = project_copy.up("--continue-on-error").failed()
    return Failed(outcome, reasons(outcome), routes)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_broken_version_fails_update_with_its_reason(failed: Failed, case: Broken) -> None:
    reason = failed.reasons[f"echo-{case.version}"]
    for text_part in case.expected_text:
        assert text_part in reason


def test_update_fails_within_deadline(failed: Failed, report: list[str]) -> None:
    report.append(f"pulumi up {failed.outcome.seconds:.1f} s, deadline {DEADLINE_SECONDS} s")
    assert failed.outcome.seconds < at_most(DEADLINE_SECONDS + SLACK_SECONDS)


def test_failed_update_leaves_routes_unchanged(failed: Failed) -> None:
    assert local_stack.routes() == failed.routes
    assert answering_versions_of_echo("prod") == {"v1": 20}
    assert answering_versions_of_echo("latest") == {"v2": 20}
    assert answering_versions("iris", "prod", 20).total() == 20


def test_failed_image_build_leaves_routes_unchanged(
    failed: Failed, project_copy: ProjectCopy, report: list[str]
) -> None:
    """Without `--continue-on-error`, as users run it."""
    package = "package-that-nobody-published==1.2.3"
    content = project_copy.read()
    echo = content["config"][MODELS]["echo"]
    files = {"predict.py": GOOD, "requirements.txt": f"{package}\n"}
    echo["versions"]["v3"] = {"source": project_copy.source("models/echo/v3", files)}
    echo["routes"]["prod"]["weights"] = {"v1": 50, "v3": 50}
    project_copy.write(content)
    outcome = project_copy.up().failed()
    report.append(f"pulumi up {outcome.seconds:.1f} s")
    assert package in reasons(outcome)["echo-v3"]
    assert local_stack.routes() == failed.routes
    assert answering_versions_of_echo("prod") == {"v1": 20}


def test_evicted_version_fails_update_with_its_reason(
    failed: Failed, project_copy: ProjectCopy, report: list[str]
) -> None:
    """In a separate update, because its deadline is longer."""
    publish(project_copy, {"evicted": EVICTED})
    outcome = project_copy.up().failed()
    report.append(f"pulumi up {outcome.seconds:.1f} s, deadline {EVICTION_SECONDS} s")
    text = reasons(outcome)[f"echo-{EVICTED.version}"]
    for text_part in EVICTED.expected_text:
        assert text_part in text
    assert outcome.seconds < at_most(EVICTION_SECONDS + SLACK_SECONDS)
    assert local_stack.routes() == failed.routes


def test_update_after_fix_moves_route(
    failed: Failed, project_copy: ProjectCopy, report: list[str]
) -> None:
    good = Broken("v3", GOOD, ())
    publish(project_copy, {"mended": good})
    outcome = project_copy.up().succeeded()
    report.append(f"pulumi up {outcome.seconds:.1f} s")
    assert answering_versions_of_echo("versions/v3") == {"v3": 20}
    assert answering_versions_of_echo("latest") == {"v3": 20}
    time.sleep(0.5)  # Traefik reads the route within 50 ms
    counts = answering_versions_of_echo("prod", 60)
    assert counts.keys() == {"v1", "v3"}
    names = {name for name in local_stack.declared() if name.startswith("Deployment echo-")}
    assert names == {"Deployment echo-v1", "Deployment echo-v2", "Deployment echo-v3"}


def answering_versions_of_echo(base: str, count: int = 20) -> dict[str, int]:
    """Like `answering_versions`, with echo's argument."""
    counts: dict[str, int] = {}
    for number in range(count):
        answer = call("echo", base, {"value": number})
        assert answer.status_code == 200, answer.text
        assert answer.json()["result"] == number
        version = answer.headers["X-Model-Version"]
        counts[version] = counts.get(version, 0) + 1
    return counts
