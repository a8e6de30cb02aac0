"""A second stack of the program in the cluster of the local stack, in another namespace.

A cluster takes one stack, since definitions are cluster-wide (docs/adr/0009): deleting one
deletes every object of its kind, the local stack's routes too. So the program runs under a
transformation: the second stack uses the existing definitions and retains them.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import yaml

from local.node import volumes
from local.paths import Paths
from tests.support import local_stack
from tests.support.local_stack import Object, Outcome
from tests.support.project_copy import ProjectCopy
from tests.support.time_limits import at_most

SECONDS = 420.0
NAME = "second"
PLATFORM = "model-deployment:platform"
DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
_PROGRAM = f'''
"""The project's program; the definitions stay when this stack goes."""
import runpy
from pathlib import Path
import pulumi

def kept(args):
    if args.type_ != "{DEFINITION}":
        return None
    kept = pulumi.ResourceOptions(retain_on_delete=True)
    return pulumi.ResourceTransformationResult(
        args.props, pulumi.ResourceOptions.merge(args.opts, kept)
    )

pulumi.runtime.register_stack_transformation(kept)
runpy.run_path(str(Path(__file__).with_name("program.py")))
'''
_CLUSTER_WIDE = (
    "clusterroles,clusterrolebindings,ingressclasses,priorityclasses,"
    "validatingadmissionpolicies,validatingadmissionpolicybindings"
)
_IN_NAMESPACE = (
    "deployments,statefulsets,services,configmaps,serviceaccounts,ingresses,networkpolicies,"
    "poddisruptionbudgets,horizontalpodautoscalers,roles,rolebindings,"
    "ingressroutes,traefikservices,middlewares,serverstransports,tlsstores"
)
"""Whatever the program makes in a namespace; Secrets are not compared."""


class SecondStack:
    """A stack with a separate state, namespace and copy of the project."""

    def __init__(self, folder: Path, file: Object, home: Path | None = None) -> None:
        self.namespace = str(file["config"][PLATFORM]["namespace"])
        assert self.namespace != local_stack.NAMESPACE
        self._state = folder / "state"
        self._copy = ProjectCopy(folder / "project")
        main = self._copy.folder / "__main__.py"
        main.rename(main.with_name("program.py"))
        main.write_text(_PROGRAM)
        inherited = local_stack.environment()
        self.env = {name: value for name, value in inherited.items() if name[:4] != "AWS_"} | {
            "PULUMI_BACKEND_URL": f"file://{self._state}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true",  # the definitions
        }
        self.env |= {"PULUMI_HOME": str(home)} if home else {}
        self.write(file)
        self.init()

    def init(self) -> None:
        """A state without anything in it."""
        self._state.mkdir()
        self.pulumi("stack", "init").succeeded()

    def lose_the_state(self) -> None:
        """As if its bucket had been deleted."""
        shutil.rmtree(self._state)

    def write(self, file: Object) -> None:
        """Make it the stack's file."""
        (self._copy.folder / f"stacks/Pulumi.{NAME}.yaml").write_text(yaml.safe_dump(file))

    def pulumi(self, *arguments: str) -> Outcome:
        """`pulumi ...` from the copy; both streams."""
        command = ("pulumi", *arguments, "--stack", NAME, "--non-interactive", "--color", "never")
        return local_stack.run(
            *command, cwd=self._copy.folder, env=self.env, seconds=at_most(SECONDS)
        )

    def shell(self, script: str) -> Outcome:
        """Commands as an operator types them in the project's folder, for this stack."""
        own = str(Path(sys.executable).parent)  # as with the project's environment activated
        env = {**self.env, "PULUMI_STACK": NAME, "PATH": f"{own}:{self.env['PATH']}"}
        return local_stack.run(
            "bash", "-euo", "pipefail", "-c", script,
            cwd=self._copy.folder, env=env, seconds=at_most(SECONDS),
        )  # fmt: skip

    def up(self) -> str:
        """Run `pulumi up`; return its output."""
        outcome = self.pulumi("up", "--yes", "--skip-preview", "--suppress-progress")
        return outcome.succeeded().text

    def up_forced(self) -> str:
        """Run `pulumi up` and take over fields that another field manager owns."""
        self.env["PULUMI_K8S_ENABLE_PATCH_FORCE"] = "true"
        try:
            return self.up()
        finally:
            del self.env["PULUMI_K8S_ENABLE_PATCH_FORCE"]

    def assert_no_changes(self) -> None:
        """Assert that a preview shows no changes."""
        self.pulumi("preview", "--expect-no-changes", "--diff", "--suppress-progress").succeeded()

    def state(self) -> list[Object]:
        """The resources that the state holds."""
        exported: Object = json.loads(self.pulumi("stack", "export").succeeded().text)
        resources: list[Object] = exported["deployment"].get("resources", [])
        return resources

    def destroy(self) -> None:
        """All of it but the definitions, which the state must say to leave."""
        retained = [item for item in self.state() if item["type"] == DEFINITION]
        assert retained
        assert all(item.get("retainOnDelete") for item in retained)
        self.pulumi("destroy", "--yes", "--skip-preview", "--suppress-progress").succeeded()

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints, in this namespace."""
        command = ("kubectl", "--namespace", self.namespace, *arguments)
        return local_stack.run(*command, env=self.env).succeeded().text

    def objects(self) -> dict[str, str]:
        """Return the content of each object in the namespace, without status and server fields."""
        selector = "app.kubernetes.io/managed-by=pulumi"
        objects = json.loads(self.kubectl("get", _IN_NAMESPACE, "-l", selector, "-o", "json"))
        outside = {"metadata", "status", "apiVersion", "kind"}
        return {
            f"{item['kind']} {item['metadata']['name']}": json.dumps(
                [
                    item["metadata"].get("annotations", {}).get("model-deployment.io/weights"),
                    {key: value for key, value in item.items() if key not in outside},
                ],
                sort_keys=True,
            )
            for item in objects["items"]
        }

    def cluster_wide(self) -> list[str]:
        """Objects of no namespace that carry this one's name."""
        names = self.kubectl("get", _CLUSTER_WIDE, "-o", "name").splitlines()
        return [name for name in names if self.namespace in name]

    def exists(self) -> bool:
        """Whether the namespace is there, be it on its way out."""
        name = self.kubectl("get", "namespace", self.namespace, "--ignore-not-found", "-o", "name")
        return bool(name.strip())

    def remove(self) -> None:
        """Whatever a test that failed has left; afterwards the volumes are free again."""
        if self.exists():
            self.kubectl("delete", "namespace", self.namespace)
        if leftovers := self.cluster_wide():
            self.kubectl("delete", *leftovers)
        volumes.provision(Paths.of_user(), self._kubectl_with)

    def _kubectl_with(self, arguments: tuple[str, ...], stdin: str | None) -> str:
        if stdin is None:
            return self.kubectl(*arguments)
        return local_stack.kubectl_with(stdin, *arguments)
