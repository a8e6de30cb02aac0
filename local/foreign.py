"""A cluster of the user's, by the name of a kubeconfig context: make up CLUSTER=<context>."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from local import environment
from local.errors import GroundError
from local.paths import Paths
from local.progress import say
from local.shell import run

#: How long the API server may take to say who it is, in seconds.
ANSWER_SECONDS = 15

_UID = ["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]


class ForeignCluster:
    """The cluster of one context; nothing is built or started for it."""

    def __init__(self, paths: Paths, context: str) -> None:
        self.paths = paths
        self.kubectl = environment.kubectl(paths)
        self.kubeconfig = paths.state / "clusters" / f"{context.replace('/', '_')}.kubeconfig"
        self._single_out(context)
        self.uid, complaint = self._ask(self.kubeconfig)
        if not self.uid:
            raise GroundError(
                f"the cluster of context {context!r} does not answer: {complaint}",
                f"look whether `kubectl --context {context} get namespaces` works",
            )

    def _single_out(self, context: str) -> None:
        """Keep a kubeconfig with this context alone: another one can never be reached by chance."""
        known = run([self.kubectl, "config", "get-contexts", "-o", "name"]).split()
        if context not in known:
            looked = os.environ.get("KUBECONFIG") or "~/.kube/config"
            raise GroundError(
                f"no context {context!r} in {looked}; known are: {', '.join(known) or 'none'}",
                "name one of them, make up CLUSTER=<context>, or point KUBECONFIG at another file",
            )
        view = ["config", "view", "--raw", "--minify", "--flatten", "--context", context]
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(run([self.kubectl, *view]))

    def _ask(self, kubeconfig: Path) -> tuple[str, str]:
        """What tells the cluster from every other one, or the last line of why it did not say."""
        command = [str(self.kubectl), f"--request-timeout={ANSWER_SECONDS}s", *_UID]
        env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        complaints = done.stderr.strip().splitlines() or ["no reason was given"]
        return ("", complaints[-1]) if done.returncode else (done.stdout.strip(), "")

    def _is_local(self) -> bool:
        """Whether the context leads to the local stack's own cluster, whatever it is called."""
        # where the local cluster does not run it cannot be the one that answered
        return self.paths.kubeconfig.exists() and self._ask(self.paths.kubeconfig)[0] == self.uid

    def environment(self) -> Mapping[str, str]:
        """The stack's state goes with the cluster, whatever its context is called."""
        reached = {"KUBECONFIG": str(self.kubeconfig)}
        if self._is_local():
            return {**environment.local(self.paths), **reached}
        own = environment.shared(self.paths) | reached
        # after `make env` the local stack's backend is inherited; its state is another cluster's
        inherited = os.environ.get("PULUMI_BACKEND_URL")
        if not inherited or inherited == environment.local_backend(self.paths):
            own["PULUMI_BACKEND_URL"] = f"file://{self.kubeconfig.parent}/{self.uid}"
        if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(os.environ):
            own["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(environment.PASSPHRASE)
        return own

    @contextmanager
    def front_door(self, url: str, namespace: str) -> Iterator[str]:
        """An address that leads to the models: the stack's own, or a port forwarded to it."""
        try:
            requests.get(url, timeout=3)
        except requests.RequestException:
            say(f"{url} is not reachable from here; asking through `kubectl port-forward`")
        else:
            yield url
            return
        forwarding = ["-n", namespace, "port-forward", "service/ingress-controller", ":80"]
        command = [str(self.kubectl), *forwarding]
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as forward:
            try:
                line = forward.stdout.readline() if forward.stdout else ""
                port = line.partition("127.0.0.1:")[2].partition(" ")[0]
                if not port:
                    raise GroundError(
                        "`kubectl port-forward` to the ingress controller does not work",
                        f"kubectl -n {namespace} get service,pods",
                    )
                yield f"http://127.0.0.1:{port}"
            finally:
                forward.terminate()
