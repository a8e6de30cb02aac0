"""`pulumi up` on a ground that is ready, and the proof that its models answer."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict, cast

import requests

from local import environment
from local.errors import GroundError
from local.paths import ROOT, Paths
from local.progress import say, step
from local.shell import run

#: How long models may take to answer once Pulumi is done, in seconds: after a crash, Pods start anew.
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


class Stack:
    """One Pulumi stack of this project in one environment."""

    def __init__(self, paths: Paths, name: str, env: Mapping[str, str]) -> None:
        self.name = name
        self.env = {**os.environ, **env}
        self.pulumi = environment.pulumi(paths)

    def _run(self, *arguments: str) -> str:
        return run([self.pulumi, *arguments, "--non-interactive"], cwd=ROOT, env=self.env)

    def up(self) -> None:
        """Bring the stack to what its file says; Pulumi's own display is the progress."""
        self._select()
        self._unlock()
        say(f"... pulumi up --stack {self.name}")
        started = time.monotonic()
        command = [
            self.pulumi,
            "up",
            "--stack",
            self.name,
            "--yes",
            "--skip-preview",
            "--suppress-outputs",
        ]
        if subprocess.run(command, cwd=ROOT, env=self.env, check=False).returncode:
            raise GroundError(
                "`pulumi up` failed; the reason stands above, and the traffic stays where it was",
                "mend it and run the same command again",
            )
        say(f"ok  pulumi up  [{time.monotonic() - started:.1f} s]")

    def _select(self) -> None:
        backend = self.env.get("PULUMI_BACKEND_URL", "")
        if backend.startswith("file:///"):
            Path(backend.removeprefix("file://")).mkdir(parents=True, exist_ok=True)
        self._run("stack", "select", self.name, "--create")

    def _unlock(self) -> None:
        """Take away the lock of an update whose process was killed on this machine."""
        backend = self.env.get("PULUMI_BACKEND_URL", "").removeprefix("file://")
        for lock in Path(backend or "/nonexistent").glob(
            f".pulumi/locks/organization/model-deployment/{self.name}/*.json"
        ):
            holder = json.loads(lock.read_text())
            alive = Path("/proc", str(holder.get("pid", 0))).exists()
            if holder.get("hostname") == socket.gethostname() and not alive:
                lock.unlink()

    def outputs(self) -> dict[str, object]:
        """The stack's outputs."""
        return cast(
            "dict[str, object]",
            json.loads(self._run("stack", "output", "--json", "--stack", self.name)),
        )


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
    """Wait until every address answers, then print them and one real prediction."""
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
                    'eval "$(make -s env)"; kubectl -n models get pods; kubectl -n models describe pods',
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


class ForeignCluster:
    """A cluster of the user's, by the name of a kubeconfig context."""

    def __init__(self, paths: Paths, context: str) -> None:
        self.paths = paths
        found = shutil.which("kubectl", path=environment.own_path(paths))
        if not found:
            raise GroundError("there is no kubectl on PATH", "install kubectl")
        self.kubectl = found
        self.kubeconfig = paths.state / "clusters" / f"{context.replace('/', '_')}.kubeconfig"
        self._single_out(context)
        self.uid = run(
            [self.kubectl, "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"],
            env={"KUBECONFIG": str(self.kubeconfig)},
            hint=f"look whether `kubectl --context {context} get nodes` works",
        ).strip()

    def _single_out(self, context: str) -> None:
        view = [
            self.kubectl,
            "config",
            "view",
            "--raw",
            "--minify",
            "--flatten",
            "--context",
            context,
        ]
        known = run([self.kubectl, "config", "get-contexts", "-o", "name"]).split()
        if context not in known:
            raise GroundError(
                f"there is no context {context!r}; known are: {', '.join(known) or 'none'}",
                "name one of them: make up CLUSTER=<context>",
            )
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(run(view))

    def environment(self) -> dict[str, str]:
        """The stack's state goes with the cluster, whatever its context is called."""
        backend = (
            os.environ.get("PULUMI_BACKEND_URL") or f"file://{self.kubeconfig.parent}/{self.uid}"
        )
        own = {} if "PULUMI_CONFIG_PASSPHRASE" in os.environ else {
            "PULUMI_CONFIG_PASSPHRASE_FILE": os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE", str(environment.PASSPHRASE))
        }  # fmt: skip
        return {
            **environment.shared(self.paths),
            **own,
            "KUBECONFIG": str(self.kubeconfig),
            "PULUMI_BACKEND_URL": backend,
        }

    @contextmanager
    def front_door(self, url: str, namespace: str = "models") -> Iterator[str]:
        """An address that leads to the models: the stack's own, or a port forwarded to its Service."""
        try:
            requests.get(url, timeout=3)
        except requests.RequestException:
            command = [
                self.kubectl,
                "-n",
                namespace,
                "port-forward",
                "service/ingress-controller",
                ":80",
            ]
            env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
            with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as forward:
                assert forward.stdout is not None
                port = forward.stdout.readline().partition("127.0.0.1:")[2].partition(" ")[0]
                say(f"{url} is not reachable from here; asking through `kubectl port-forward`")
                try:
                    yield f"http://127.0.0.1:{port}"
                finally:
                    forward.terminate()
        else:
            yield url
