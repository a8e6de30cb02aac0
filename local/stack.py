"""`pulumi up` on a ground that is ready, and the proof that its models answer."""

from __future__ import annotations

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

from local import environment
from local.errors import GroundError
from local.paths import ROOT, Paths
from local.progress import say, step
from local.shell import run

#: The project's name in Pulumi.yaml.
PROJECT = "model-deployment"

#: How long models may take to answer once Pulumi is done, in seconds: after a crash Pods start.
ANSWER_SECONDS = 120

#: What `make up` asks at the end, and of whom.
SAMPLE_MODEL = "iris"
SAMPLE = {
    "data": {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
}


class Deployed(TypedDict):
    """A model in the stack's outputs."""

    url: str
    versions: list[str]
    routes: dict[str, dict[str, int]]


def stack_file(name: str) -> Path:
    """The file of stack `name`. Raises GroundError where there is none."""
    file = ROOT / f"stacks/Pulumi.{name}.yaml"
    if not file.exists():
        known = sorted(each.name.split(".")[1] for each in file.parent.glob("Pulumi.*"))
        raise GroundError(
            f"there is no {file.relative_to(ROOT)}",
            f"name a stack that has a file (STACK=<stack>); known: {', '.join(known)}",
        )
    return file


class Stack:
    """One Pulumi stack of this project in one environment."""

    def __init__(self, paths: Paths, name: str, env: Mapping[str, str]) -> None:
        self.name = name
        self.env = {**os.environ, **env}
        self.pulumi = environment.pulumi(paths)
        self.file = stack_file(name)

    def _run(self, *arguments: str) -> str:
        return run([self.pulumi, *arguments, "--non-interactive"], cwd=ROOT, env=self.env)

    def up(self) -> None:
        """Bring the stack to what its file says; Pulumi's own display is the progress."""
        killed = False
        backend = self.env.get("PULUMI_BACKEND_URL", "")
        if backend.startswith("file:///"):
            folder = Path(backend.removeprefix("file://"))
            folder.mkdir(parents=True, exist_ok=True)
            unlock(folder, self.name)
            killed = interrupted(folder, self.name)
        self._run("stack", "select", self.name, "--create")
        say(f"... pulumi up --stack {self.name}")
        started = time.monotonic()
        flags = ["--yes", "--skip-preview", "--suppress-outputs"]
        if _attend([self.pulumi, "up", "--stack", self.name, *flags], self.env):
            raise GroundError(
                "`pulumi up` failed; the reason stands above, and the traffic stays where it was",
                "mend it and run the same command again",
            )
        say(f"ok  pulumi up  [{time.monotonic() - started:.1f} s]")
        if killed:
            with step("what a killed update left unfinished is struck off"):
                flags = ["--yes", "--skip-preview", "--clear-pending-creates"]
                self._run("refresh", "--stack", self.name, *flags)

    def preview(self) -> None:
        """Show what `up` would change, and what that does to the traffic; change nothing."""
        self._run("stack", "select", self.name, "--create")
        flags = ["--diff", "--suppress-outputs", "--non-interactive"]
        if _attend([self.pulumi, "preview", "--stack", self.name, *flags], self.env):
            raise GroundError(
                "`pulumi preview` failed; the reason stands above", "mend it and run it again"
            )

    def outputs(self) -> dict[str, object]:
        """The stack's outputs."""
        text = self._run("stack", "output", "--json", "--stack", self.name)
        return cast("dict[str, object]", json.loads(text))

    def namespace(self) -> str:
        """Where the stack's objects are, as its file says."""
        config = yaml.safe_load(self.file.read_text())["config"]
        return str((config.get("model-deployment:platform") or {}).get("namespace", "models"))


def _attend(command: Sequence[str | Path], env: Mapping[str, str]) -> int:
    """Run ``command`` on this terminal to its end; its status.

    Ctrl-C reaches both: Pulumi ends in good order, and killing it meanwhile would cost its state.
    """
    interrupted = False
    with subprocess.Popen(command, cwd=ROOT, env=env) as process:
        while True:
            try:
                status = process.wait()
                break
            except KeyboardInterrupt:
                interrupted = True
    if interrupted:
        raise KeyboardInterrupt
    return status


def unlock(backend: Path, stack: str) -> None:
    """Take away the lock of an update whose process was killed on this machine."""
    locks = backend / ".pulumi/locks/organization" / PROJECT / stack
    for lock in locks.glob("*.json"):
        try:
            holder = json.loads(lock.read_text())
        except json.JSONDecodeError:  # killed while it wrote this
            holder = {"hostname": socket.gethostname()}
        if holder.get("hostname") == socket.gethostname() and not _is_pulumi(holder.get("pid", 0)):
            lock.unlink()
            lock.with_name(f"{lock.name}.attrs").unlink(missing_ok=True)


def interrupted(backend: Path, stack: str) -> bool:
    """Whether an update was killed while it created something.

    That is done anew by the next update, but Pulumi warns of it until a refresh is told to forget.
    """
    state = backend / ".pulumi/stacks" / PROJECT / f"{stack}.json"
    if not state.exists():
        return False
    deployment = json.loads(state.read_text()).get("checkpoint", {}).get("latest") or {}
    return bool(deployment.get("pending_operations"))


def _is_pulumi(pid: int) -> bool:
    """Whether a Pulumi lives under this id; after a reboot it may be another program's."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return False
    # one that was killed stays as a zombie until its parent looks
    return name.startswith("pulumi") and rest.split()[0] not in ("Z", "X")


def _silent(url: str, deployed: Mapping[str, Deployed], base: str) -> list[str]:
    """The addresses that do not answer yet."""
    silent = []
    for model in deployed.values():
        address = model["url"].replace(url, base)
        for part in (*(f"versions/{version}" for version in model["versions"]), *model["routes"]):
            try:
                answer = requests.get(f"{address}/{part}/model", timeout=5)
            except requests.RequestException:
                silent.append(f"{address}/{part}")
                continue
            # a harness says which version it is in whatever it answers
            if "X-Model-Version" not in answer.headers:
                silent.append(f"{address}/{part} ({answer.status_code})")
    return silent


def wait_and_show(stack: Stack, base: str | None = None) -> None:
    """Wait until every address answers, then print them and one real prediction.

    ``base`` stands for the stack's own address where that is out of reach from here.
    """
    outputs = stack.outputs()
    url = cast("str", outputs["url"])
    deployed = cast("dict[str, Deployed]", outputs["models"])
    base = base or url
    with step("models answer") as report:
        deadline = time.monotonic() + ANSWER_SECONDS
        while silent := _silent(url, deployed, base):
            report(0, 0, silent[0])
            if time.monotonic() > deadline:
                raise GroundError(
                    f"no answer after {ANSWER_SECONDS} s from {', '.join(silent)}",
                    f"look at the Pods: kubectl -n {stack.namespace()} describe pods",
                )
            time.sleep(0.5)
    for model in deployed.values():
        address = model["url"].replace(url, base)
        for version in model["versions"]:
            say(f"    {address}/versions/{version}/model")
        for route, weights in model["routes"].items():
            split = "  ".join(f"{version} {weight} %" for version, weight in weights.items())
            say(f"    {address}/{route}/model    {split}")
    if SAMPLE_MODEL in deployed and "prod" in deployed[SAMPLE_MODEL]["routes"]:
        address = deployed[SAMPLE_MODEL]["url"].replace(url, base) + "/prod/model"
        say(f"\n$ curl {address} --json '{json.dumps(SAMPLE)}'")
        say(requests.post(address, json=SAMPLE, timeout=30).text)
