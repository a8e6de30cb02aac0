"""A whole stack: the platform, then the models on it, and what the stack says of itself."""

from pathlib import Path

import pulumi
from pulumi_kubernetes.core.v1 import Namespace

from components.naming import LATEST, labels
from components.platform.ingress_controller import IngressController, IngressControllerArgs
from components.serving.model import Model, ModelArgs
from components.serving.model_image import HarnessImage
from components.serving.published import Checkout
from components.spec import StackSpec
from components.staging import read_harness


def build(spec: StackSpec, root: Path) -> None:
    """Declare everything that `spec` says; `root` is the project's folder."""
    platform = spec.platform
    namespace = Namespace(
        platform.namespace,
        metadata={"name": platform.namespace, "labels": labels("namespace")},
    )
    ingress = IngressController(
        "ingress-controller",
        IngressControllerArgs(
            namespace=namespace.metadata["name"],
            namespace_name=platform.namespace,
            hostname=platform.hostname,
            spec=platform.ingress_controller,
        ),
    )
    harness = HarnessImage(root, platform.registry, read_harness(root), pulumi.ResourceOptions())
    checkout = Checkout(root)
    for name, model in spec.models.items():
        Model(
            name,
            ModelArgs(
                root=root,
                namespace=namespace.metadata["name"],
                registry=platform.registry,
                ingress_class=ingress.class_name,
                kinds=ingress.kinds,
                harness=harness,
                checkout=checkout,
                spec=model,
            ),
        )
    _export(spec)


def _export(spec: StackSpec) -> None:
    """Outputs are the resulting state: one that told a change would never settle."""
    url = f"http://{spec.platform.hostname}:{spec.platform.ingress_controller.node_port}"
    pulumi.export("url", url)
    pulumi.export(
        "models",
        {
            name: {
                "url": f"{url}/models/{name}",
                "versions": list(model.versions),
                "routes": {
                    LATEST: {model.latest: 100},
                    **{route: dict(row.weights) for route, row in model.routes.items()},
                },
            }
            for name, model in spec.models.items()
        },
    )
