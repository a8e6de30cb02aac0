"""Another cluster by its kubeconfig context: `make up CLUSTER=<context>`."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests
import yaml

from local.errors import SetupError
from local.paths import Paths
from local.progress import print_line
from local.pulumi import environment
from local.shell import run

REQUEST_TIMEOUT_SECONDS = 15

_GET_UID = ["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]


def _has_own_encryption(backend: str, file: Path) -> bool:
    """Return whether secrets are encrypted with something else than the public passphrase.

    After `make env` the public one is in the environment. Pulumi Cloud and the key services of a
    stack file need no passphrase.
    """
    if backend.startswith(("http://", "https://")):
        return True
    try:
        stack = yaml.safe_load(file.read_text())
    except yaml.YAMLError:
        stack = None  # Pulumi reports it
    if isinstance(stack, dict) and stack.get("secretsprovider", "passphrase") != "passphrase":
        return True
    public = environment.PASSPHRASE
    passphrase = os.environ.get("PULUMI_CONFIG_PASSPHRASE")
    if passphrase is not None:  # overrides the file
        return passphrase.strip() not in ("", public.read_text().strip())
    own = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    return own is not None and Path(own).resolve() != public.resolve()


class ExternalCluster:
    """The cluster of one context; raises SetupError if it does not exist or does not answer."""

    def __init__(self, paths: Paths, context: str) -> None:
        self.paths = paths
        self.kubectl = environment.kubectl(paths)
        self.kubeconfig = paths.state / "clusters" / f"{context.replace('/', '_')}.kubeconfig"
        self._minify_kubeconfig(context)
        self.uid, error = self._get_uid(self.kubeconfig)
        if not self.uid:
            raise SetupError(
                f"the cluster of context {context!r} does not answer: {error}",
                f"check with `kubectl --context {context} get namespaces`",
            )

    def _minify_kubeconfig(self, context: str) -> None:
        """Write a kubeconfig with this context only: no other cluster can be changed."""
        contexts = run([self.kubectl, "config", "get-contexts", "-o", "name"]).split()
        if context not in contexts:
            kubeconfig = os.environ.get("KUBECONFIG") or "~/.kube/config"
            raise SetupError(
                f"no context {context!r} in {kubeconfig}; it has {', '.join(contexts) or 'none'}",
                "use one of them (make up CLUSTER=<context>), or set KUBECONFIG",
            )
        view = ["config", "view", "--raw", "--minify", "--flatten", "--context", context]
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(run([self.kubectl, *view]))

    def _get_uid(self, kubeconfig: Path) -> tuple[str, str]:
        """Return the UID of kube-system, which identifies a cluster, and the error."""
        command = [str(self.kubectl), f"--request-timeout={REQUEST_TIMEOUT_SECONDS}s", *_GET_UID]
        env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        result = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        errors = result.stderr.strip().splitlines() or ["kubectl printed no reason"]
        return ("", errors[-1]) if result.returncode else (result.stdout.strip(), "")

    def _is_local(self) -> bool:
        """Return whether the context is of the local cluster."""
        return (
            self.paths.kubeconfig.exists() and self._get_uid(self.paths.kubeconfig)[0] == self.uid
        )

    def environment(self, file: Path) -> Mapping[str, str]:
        """Return the variables of a stack on this cluster, whose UID is in the backend URL.

        Raises SetupError if the stack of this file would be encrypted with the public passphrase.
        """
        kubeconfig = {"KUBECONFIG": str(self.kubeconfig)}
        if self._is_local():
            return {**environment.local(self.paths), **kubeconfig}
        variables = environment.shared(self.paths) | kubeconfig
        # after `make env` the inherited backend is that of the local stack
        inherited = os.environ.get("PULUMI_BACKEND_URL")
        if not inherited or inherited == environment.local_backend(self.paths):
            variables["PULUMI_BACKEND_URL"] = f"file://{self.kubeconfig.parent}/{self.uid}"
        if not _has_own_encryption(variables.get("PULUMI_BACKEND_URL", inherited or ""), file):
            raise SetupError(
                f"no passphrase for the secrets of {file.name}, and the state contains the "
                "administrator's password of RabbitMQ; the passphrase in this repository is public",
                "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to your own, with a "
                "stack of your own (docs/operations.md)",
            )
        return variables

    @contextmanager
    def public_endpoint(self, url: str, namespace: str) -> Iterator[str]:
        """Provide a reachable URL of the stack, by `kubectl port-forward` if necessary."""
        try:
            requests.get(url, timeout=3)
        except requests.RequestException:
            print_line(f"{url} is not reachable; using `kubectl port-forward`")
        else:
            yield url
            return
        arguments = ["-n", namespace, "port-forward", "service/ingress-controller", ":80"]
        command = [str(self.kubectl), *arguments]
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as forward:
            try:
                line = forward.stdout.readline() if forward.stdout else ""
                port = line.partition("127.0.0.1:")[2].partition(" ")[0]
                if not port:
                    raise SetupError(
                        "`kubectl port-forward` to the ingress controller failed",
                        f"check with `kubectl -n {namespace} get service,pods`",
                    )
                yield f"http://127.0.0.1:{port}"
            finally:
                forward.terminate()
