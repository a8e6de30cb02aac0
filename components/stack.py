"""A whole stack: the platform, then the models on it, and what the stack says of itself."""

from collections.abc import Mapping
from pathlib import Path

import pulumi
from pulumi_kubernetes.core.v1 import Namespace

from components.errors import StackFileError
from components.languages import LANGUAGES
from components.live import bodies, effects, immutability
from components.live.look import Look
from components.live.wanted import wanted
from components.naming import labels
from components.platform.admission import guard
from components.platform.deployment_watcher import (
    REPOSITORY,
    DeploymentWatcher,
    DeploymentWatcherArgs,
)
from components.platform.ingress_controller import IngressController, IngressControllerArgs
from components.platform.message_broker import MessageBroker, MessageBrokerArgs
from components.platform.network_policies import network_policies
from components.platform.priority import platform_priority
from components.serving.contents import Content, read_all
from components.serving.model import Model, ModelArgs, routes
from components.serving.model_image import HarnessImage, repository_name
from components.spec import StackSpec
from components.staging import read_harness


def build(spec: StackSpec, root: Path, seen: Look) -> None:
    """Declare everything that `spec` says; `root` is the project's folder, `seen` the cluster.

    Raises `pulumi.RunError` for what must not happen to the cluster as it stands, before anything
    is declared.
    """
    contents = read_all(spec, root)
    _refuse_changed(contents, seen)
    _tell_effects(spec, seen)
    seen.hand_over(spec)
    _declare(spec, root, contents, seen)
    _export(spec)


def _refuse_changed(contents: Mapping[tuple[str, str], Content], seen: Look) -> None:
    mistakes = list(immutability.changed(contents, seen.live))
    if mistakes:
        raise pulumi.RunError(str(StackFileError(mistakes)))


def _tell_effects(spec: StackSpec, seen: Look) -> None:
    models = {name: wanted(each) for name, each in spec.models.items()}
    lines = effects.describe(models, seen.live)
    if lines:
        pulumi.log.info("\n".join(["What this changes for clients and nodes:", *lines]))
    for line in (*effects.warnings(models), *bodies.warnings(spec)):
        pulumi.log.warn(line)


def _declare(
    spec: StackSpec, root: Path, contents: Mapping[tuple[str, str], Content], seen: Look
) -> None:
    platform = spec.platform
    namespace = Namespace(
        platform.namespace,
        metadata={"name": platform.namespace, "labels": labels("namespace")},
    )
    priority = platform_priority(platform.namespace)
    network_policies(namespace.metadata["name"], platform.model_egress)
    ingress = IngressController(
        "ingress-controller",
        IngressControllerArgs(
            namespace=namespace.metadata["name"],
            namespace_name=platform.namespace,
            hostname=platform.hostname,
            call_seconds=spec.call_seconds,
            proxies=_proxies(spec),
            priority=priority,
            spec=platform.ingress_controller,
        ),
    )
    guard(ingress.class_name, platform.namespace, pulumi.ResourceOptions())
    stored = _on_aws(spec)
    broker = MessageBroker(
        "message-broker",
        MessageBrokerArgs(
            namespace=namespace.metadata["name"], priority=priority, spec=platform.message_broker
        ),
    )
    DeploymentWatcher(
        "deployment-watcher",
        DeploymentWatcherArgs(
            root=root,
            namespace=namespace.metadata["name"],
            namespace_name=platform.namespace,
            registry=platform.registry,
            repositories=[stored[REPOSITORY]] if REPOSITORY in stored else [],
            groundwork=ingress.groundwork,
            broker=broker.secret,
            priority=priority,
            spec=platform.deployment_watcher,
        ),
    )
    harnesses = _harnesses(spec, root, stored)
    for name, model in spec.models.items():
        Model(
            name,
            ModelArgs(
                root=root,
                namespace=namespace.metadata["name"],
                namespace_name=platform.namespace,
                registry=platform.registry,
                ingress_class=ingress.class_name,
                groundwork=ingress.groundwork,
                harnesses=harnesses,
                repositories=[stored[name]] if name in stored else [],
                contents={version: contents[name, version] for version in model.versions},
                gate=seen.gate,
                spec=model,
            ),
        )


def _proxies(spec: StackSpec) -> tuple[str, ...]:
    """The addresses that a load balancer's requests come from."""
    platform = spec.platform
    if platform.load_balancer is None or platform.aws is None:
        return ()
    return (platform.aws.vpc.cidr,)


def _on_aws(spec: StackSpec) -> Mapping[str, pulumi.Resource]:
    """What stands on AWS, where the file asks for it; the repositories by name."""
    if spec.platform.aws is None:
        return {}
    # pulumi-aws is large: stacks without it do not import it
    from components.platform import on_aws  # noqa: PLC0415

    harnesses = [repository_name(language) for language in _languages(spec)]
    names = [*spec.models, *harnesses, REPOSITORY]
    return on_aws.build(spec.platform, spec.platform.aws, names)


def _languages(spec: StackSpec) -> list[str]:
    """The languages that this stack builds versions in."""
    return sorted(
        {
            version.language
            for model in spec.models.values()
            for version in model.versions.values()
            if version.image is None
        }
    )


def _harnesses(
    spec: StackSpec, root: Path, stored: Mapping[str, pulumi.Resource]
) -> Mapping[str, HarnessImage]:
    """The images of the languages that this stack builds versions in, and of no other."""
    return {
        name: HarnessImage(
            root,
            spec.platform.registry,
            read_harness(root, LANGUAGES[name]),
            pulumi.ResourceOptions(
                depends_on=[found] if (found := stored.get(repository_name(name))) else []
            ),
        )
        for name in _languages(spec)
    }


def _export(spec: StackSpec) -> None:
    """Outputs are the resulting state: one that told a change would never settle."""
    platform = spec.platform
    url = f"http://{platform.hostname}:{platform.ingress_controller.node_port}"
    if platform.load_balancer is not None:
        url = f"https://{platform.hostname}"
    pulumi.export("url", url)
    pulumi.export("status", f"{url}/status/")
    pulumi.export(
        "models",
        {
            name: {
                "url": f"{url}/models/{name}",
                "versions": list(model.versions),
                "routes": {route: dict(row.weights) for route, row in routes(model).items()},
            }
            for name, model in spec.models.items()
        },
    )
