"""The running local stack: the README's commands, in the environment of `make env`."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.time_limits import at_most

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "models"
ENTRY_POINT_URL = "http://localhost:8000"
COMMAND_SECONDS = 240.0
LOCK_SECONDS = 120.0
"""Seconds for which another `make up` may hold the stack's lock."""

Object = dict[str, Any]
"""A JSON object of Kubernetes or Pulumi."""


@dataclass(frozen=True)
class Outcome:
    """A finished command; `text` has both output streams."""

    code: int
    text: str
    seconds: float

    def succeeded(self) -> Outcome:
        """Return self, or fail the test with the output."""
        assert self.code == 0, f"ended with status {self.code}:\n{self.text}"
        return self

    def failed(self) -> Outcome:
        """Return self, or fail the test if the command succeeded."""
        assert self.code != 0, f"passed, and should not have:\n{self.text}"
        assert "Traceback" not in self.text, self.text
        return self


def run(
    *command: str,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    seconds: float = COMMAND_SECONDS,
) -> Outcome:
    """Run a command to its end, in this process's environment by default."""
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=cwd,
        env=plain() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=at_most(seconds),
        check=False,
    )
    return Outcome(done.returncode, done.stdout, time.monotonic() - started)


def plain() -> dict[str, str]:
    """Return the environment of a user's shell, without the test runner's variables.

    With its PYTHONPATH, a program in another folder would import this folder's components.
    """
    own = ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    return {name: value for name, value in os.environ.items() if name not in own}


def make(*arguments: str, seconds: float = COMMAND_SECONDS) -> Outcome:
    """Run `make ...` in the project's root."""
    return run("make", *arguments, seconds=seconds)


@functools.cache
def environment() -> Mapping[str, str]:
    """Return the environment after `eval "$(make -s env)"`."""
    printed = subprocess.run(
        ["make", "-s", "env"], cwd=ROOT, env=plain(), capture_output=True, text=True, check=True
    ).stdout
    exported = {}
    for line in printed.splitlines():
        keyword, assignment = shlex.split(line)
        assert keyword == "export", line
        name, _, value = assignment.partition("=")
        exported[name] = value
    return {**plain(), **exported}


@contextlib.contextmanager
def exported() -> Iterator[None]:
    """Set the variables of `make env` in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment().items():
            patch.setitem(os.environ, name, value)
        yield


def pulumi(*arguments: str, cwd: Path = ROOT, seconds: float = COMMAND_SECONDS) -> Outcome:
    """Run `pulumi ... --stack local`; wait while another process holds the stack's lock."""
    command = ("pulumi", *arguments, "--stack", "local", "--non-interactive", "--color", "never")
    patience = time.monotonic() + at_most(LOCK_SECONDS)
    while True:
        outcome = run(*command, cwd=cwd, env=environment(), seconds=seconds)
        if "stack is currently locked" not in outcome.text or time.monotonic() > patience:
            return outcome
        time.sleep(3)


def up(*arguments: str, cwd: Path = ROOT) -> Outcome:
    """Run `pulumi up` without confirmation."""
    return pulumi("up", "--yes", "--skip-preview", "--suppress-progress", *arguments, cwd=cwd)


def state() -> dict[str, tuple[str, Object]]:
    """Return the resources in the stack's state by URN, as (id, inputs).

    Outputs are left out: a refresh replaces them, including the times of reading. Secrets are in
    plain text, because their ciphertext differs each time.
    """
    exported: Object = json.loads(pulumi("stack", "export", "--show-secrets").succeeded().text)
    resources: list[Object] = exported["deployment"].get("resources", [])
    return {item["urn"]: (item.get("id", ""), item.get("inputs", {})) for item in resources}


def all_unchanged(resources: Mapping[str, tuple[str, Object]]) -> str:
    """Return the summary of an update without changes; the engine does not count providers."""
    counted = [urn for urn in resources if "::pulumi:providers:" not in urn]
    return f"    {len(counted)} unchanged\n"


def kubectl(*arguments: str) -> str:
    """Return the output of kubectl; raise if it fails."""
    outcome = run("kubectl", "--namespace", NAMESPACE, *arguments, env=environment())
    return outcome.succeeded().text


def kubectl_with(stdin: str, *arguments: str) -> str:
    """Return the output of kubectl with `stdin`; raise if it fails."""
    done = subprocess.run(
        ("kubectl", "--namespace", NAMESPACE, *arguments),
        input=stdin,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, 0).succeeded().text


def objects(kinds: str, selector: str = "") -> list[Object]:
    """Return the namespace's objects of these kinds (`deployments,services`) and labels."""
    object_list: Object = json.loads(kubectl("get", kinds, "--selector", selector, "-o", "json"))
    items: list[Object] = object_list["items"]
    return items


def pods(model: str, version: str) -> list[str]:
    """Return the names of a version's Pods that are not being deleted."""
    selector = f"app.kubernetes.io/name={model},app.kubernetes.io/version={version}"
    return sorted(
        pod["metadata"]["name"]
        for pod in objects("pods", selector)
        if "deletionTimestamp" not in pod["metadata"]
    )


def images() -> dict[str, str]:
    """Return the image of each Deployment."""
    return {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]["containers"][0]["image"]
        for item in objects("deployments")
    }


def routes() -> dict[str, tuple[str, Object]]:
    """Return (resourceVersion, spec) of every routing object, so that any write is detected."""
    return {
        f"{item['kind']} {item['metadata']['name']}": (
            item["metadata"]["resourceVersion"],
            item["spec"],
        )
        for item in objects("traefikservices,ingressroutes")
    }


def declared() -> dict[str, tuple[str, int, str]]:
    """Return every object that Pulumi manages in the namespace, as (uid, generation, spec).

    Without status, which changes without updates.
    """
    kinds = "deployments,services,ingresses,poddisruptionbudgets,ingressroutes,traefikservices"
    return {
        f"{item['kind']} {item['metadata']['name']}": (
            item["metadata"]["uid"],
            item["metadata"].get("generation", 0),
            json.dumps([item["metadata"].get("annotations"), item["spec"]], sort_keys=True),
        )
        for item in objects(kinds)
    }


def work_tree() -> str:
    """Return `git status --porcelain`; empty for a clean tree."""
    return run("git", "status", "--porcelain").succeeded().text


def rolled_out(deployment: Object) -> bool:
    """Return whether the rollout of a Deployment is complete."""
    replicas, status = deployment["spec"]["replicas"], deployment.get("status", {})
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and all(
        status.get(key, 0) == replicas
        for key in ("replicas", "updatedReplicas", "availableReplicas")
    )


def settle(seconds: float = 120) -> None:
    """Wait until every Deployment is rolled out."""
    end = time.monotonic() + at_most(seconds)
    while late := [
        item["metadata"]["name"] for item in objects("deployments") if not rolled_out(item)
    ]:
        assert time.monotonic() < end, f"not rolled out within {seconds:g} s: {late}"
        time.sleep(0.5)
