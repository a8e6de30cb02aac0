"""Update and preview of a Pulumi stack, and the check that its models respond."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, cast

import requests
import yaml

from local.errors import SetupError
from local.paths import ROOT, Paths
from local.progress import print_line, step, step_durations
from local.pulumi import environment
from local.shell import run

PROJECT = "model-deployment"
"""The name of the project in Pulumi.yaml."""

ANSWER_SECONDS = 120
"""Time limit for the models to answer after an update; after a crash their Pods start again."""

SAMPLE_MODEL = "iris"
"""The request that `make up` sends to the model at the end."""
SAMPLE_REQUEST = {
    "data": {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
}


class DeployedModel(TypedDict):
    """A model in the stack's outputs."""

    url: str
    versions: list[str]
    routes: dict[str, dict[str, int]]


def stack_file(name: str) -> Path:
    """Return the stack file of `name`; raise SetupError if it does not exist."""
    file = ROOT / f"stacks/Pulumi.{name}.yaml"
    if not file.exists():
        stacks = sorted(path.name.split(".")[1] for path in file.parent.glob("Pulumi.*"))
        raise SetupError(
            f"{file.relative_to(ROOT)} does not exist",
            f"use a stack that has a file (STACK=<stack>): {', '.join(stacks)}",
        )
    return file


class Stack:
    """One Pulumi stack of this project, with the environment variables of its commands."""

    def __init__(self, paths: Paths, name: str, env: Mapping[str, str]) -> None:
        self.name = name
        self.env = {**os.environ, **env}
        self.pulumi = environment.pulumi(paths)
        self.file = stack_file(name)

    def _run(self, *arguments: str) -> str:
        return run([self.pulumi, *arguments, "--non-interactive"], cwd=ROOT, env=self.env)

    def up(self) -> None:
        """Run `pulumi up`, after removing the traces of an update that was killed."""
        was_killed = False
        backend = self.env.get("PULUMI_BACKEND_URL", "")
        if backend.startswith("file:///"):
            folder = Path(backend.removeprefix("file://"))
            folder.mkdir(parents=True, exist_ok=True)
            remove_stale_lock(folder, self.name)
            was_killed = was_interrupted(folder, self.name)
        self._run("stack", "select", self.name, "--create")
        print_line(f"... pulumi up --stack {self.name}")
        started = time.monotonic()
        flags = ["--yes", "--skip-preview", "--suppress-outputs"]
        if _run_in_foreground([self.pulumi, "up", "--stack", self.name, *flags], self.env):
            raise SetupError(
                "`pulumi up` failed (see above); traffic was not shifted",
                "fix the problem and run the same command again",
            )
        seconds = time.monotonic() - started
        step_durations.append(("pulumi up", seconds))
        print_line(f"ok  pulumi up  [{seconds:.1f} s]")
        if was_killed:
            with step("clear pending operations of the interrupted update"):
                flags = ["--yes", "--skip-preview", "--clear-pending-creates"]
                self._run("refresh", "--stack", self.name, *flags)

    def preview(self) -> None:
        """Run `pulumi preview`, which also prints the effect on traffic."""
        self._run("stack", "select", self.name, "--create")
        flags = ["--diff", "--suppress-outputs", "--non-interactive"]
        if _run_in_foreground([self.pulumi, "preview", "--stack", self.name, *flags], self.env):
            raise SetupError(
                "`pulumi preview` failed (see above)",
                "fix the problem and run the same command again",
            )

    def outputs(self) -> dict[str, object]:
        """Return the outputs of the stack."""
        text = self._run("stack", "output", "--json", "--stack", self.name)
        return cast("dict[str, object]", json.loads(text))

    def namespace(self) -> str:
        """Return the namespace of the stack."""
        config = yaml.safe_load(self.file.read_text())["config"]
        return str((config.get("model-deployment:platform") or {}).get("namespace", "models"))


def _run_in_foreground(command: Sequence[str | Path], env: Mapping[str, str]) -> int:
    """Run `command` in the foreground of this terminal; return its exit status.

    Ctrl-C reaches both processes. Wait for Pulumi in this case, because killing it loses state.
    """
    is_interrupted = False
    with subprocess.Popen(command, cwd=ROOT, env=env) as process:
        while True:
            try:
                status = process.wait()
                break
            except KeyboardInterrupt:
                is_interrupted = True
    if is_interrupted:
        raise KeyboardInterrupt
    return status


def remove_stale_lock(backend: Path, stack: str) -> None:
    """Remove the lock of an update whose process was killed on this machine."""
    locks = backend / ".pulumi/locks/organization" / PROJECT / stack
    for lock in locks.glob("*.json"):
        try:
            holder = json.loads(lock.read_text())
        except json.JSONDecodeError:  # killed while it wrote the lock
            holder = {"hostname": socket.gethostname()}
        if holder.get("hostname") == socket.gethostname() and not _is_pulumi(holder.get("pid", 0)):
            lock.unlink()
            lock.with_name(f"{lock.name}.attrs").unlink(missing_ok=True)


def was_interrupted(backend: Path, stack: str) -> bool:
    """Return whether an update was killed during the creation of a resource.

    The next update creates it again, but Pulumi prints a warning until a refresh clears it.
    """
    state = backend / ".pulumi/stacks" / PROJECT / f"{stack}.json"
    if not state.exists():
        return False
    deployment = json.loads(state.read_text()).get("checkpoint", {}).get("latest") or {}
    return bool(deployment.get("pending_operations"))


def _is_pulumi(pid: int) -> bool:
    """Return whether the process is Pulumi; after a reboot the id may be of another program."""
    try:
        name, _, fields = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return False
    # a killed process is a zombie until its parent waits for it
    return name.startswith("pulumi") and fields.split()[0] not in ("Z", "X")


def _unreachable_urls(url: str, deployed: Mapping[str, DeployedModel], base: str) -> list[str]:
    """Return the URLs of versions and routes that do not answer yet."""
    unreachable = []
    for model in deployed.values():
        address = model["url"].replace(url, base)
        for path in (*(f"versions/{version}" for version in model["versions"]), *model["routes"]):
            try:
                response = requests.get(f"{address}/{path}/model", timeout=5)
            except requests.RequestException:
                unreachable.append(f"{address}/{path}")
                continue
            # every response of a harness has this header
            if "X-Model-Version" not in response.headers:
                unreachable.append(f"{address}/{path} ({response.status_code})")
    return unreachable


def wait_and_show(stack: Stack, base: str | None = None) -> None:
    """Wait until every URL answers, then print the URLs and one prediction.

    `base` replaces the URL of the stack if that is not reachable from this machine.
    """
    outputs = stack.outputs()
    url = cast("str", outputs["url"])
    deployed = cast("dict[str, DeployedModel]", outputs["models"])
    base = base or url
    with step("models answer") as report:
        deadline = time.monotonic() + ANSWER_SECONDS
        while unreachable := _unreachable_urls(url, deployed, base):
            report(0, 0, unreachable[0])
            if time.monotonic() > deadline:
                raise SetupError(
                    f"no answer after {ANSWER_SECONDS} s from {', '.join(unreachable)}",
                    f"check the Pods with `kubectl -n {stack.namespace()} describe pods`",
                )
            time.sleep(0.5)
    for model in deployed.values():
        address = model["url"].replace(url, base)
        for version in model["versions"]:
            print_line(f"    {address}/versions/{version}/model")
        for route, weights in model["routes"].items():
            split = "  ".join(f"{version} {weight} %" for version, weight in weights.items())
            print_line(f"    {address}/{route}/model    {split}")
    if SAMPLE_MODEL in deployed and "prod" in deployed[SAMPLE_MODEL]["routes"]:
        address = deployed[SAMPLE_MODEL]["url"].replace(url, base) + "/prod/model"
        print_line(f"\n$ curl {address} --json '{json.dumps(SAMPLE_REQUEST)}'")
        print_line(requests.post(address, json=SAMPLE_REQUEST, timeout=30).text)
