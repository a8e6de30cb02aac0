"""A stack: the platform, the models, and the stack's outputs."""

from collections.abc import Mapping
from pathlib import Path

import pulumi
from pulumi_kubernetes.core.v1 import Namespace

from components.build_context import read_harness
from components.cluster_state import buffer_memory, change_summary, immutability
from components.cluster_state.desired import desired_model
from components.cluster_state.exposure import exposure_warnings
from components.cluster_state.failure_reasons import log_failure_reasons
from components.cluster_state.snapshot import ClusterSnapshot
from components.config import StackSpec
from components.errors import StackFileError
from components.languages import Runtime
from components.naming import labels
from components.platform.admission import declare_immutability_policy
from components.platform.deployment_watcher import (
    REPOSITORY,
    DeploymentWatcher,
    DeploymentWatcherArgs,
)
from components.platform.network_policies import declare_network_policies
from components.platform.priority_class import declare_priority_class
from components.pods import POD_SECURITY
from components.rabbitmq.message_broker import MessageBroker, MessageBrokerArgs
from components.serving import version_checks
from components.serving.model import Model, ModelArgs, routes
from components.serving.model_image import (
    HarnessImage,
    declare_harness_image,
    repository_name,
)
from components.serving.version_content import Content, keep_published, read_all
from components.traefik.ingress_controller import IngressController, IngressControllerArgs


def build(spec: StackSpec, root: Path, snapshot: ClusterSnapshot) -> None:
    """Declare all resources of `spec`; `root` is the project's folder.

    Raises `pulumi.RunError` for forbidden changes, before anything is declared.
    """
    contents = keep_published(read_all(spec, root), snapshot.state, spec, root)
    _reject_versions(contents, snapshot, spec)
    _log_changes_and_warnings(spec, snapshot)
    snapshot.transfer_replicas(spec)
    log_failure_reasons(snapshot.cluster, snapshot.namespace)
    _declare(spec, root, contents, snapshot)
    _export(spec)


def _reject_versions(
    contents: Mapping[tuple[str, str], Content], snapshot: ClusterSnapshot, spec: StackSpec
) -> None:
    issues = [
        *immutability.find_changed_versions(contents, snapshot.state),
        *version_checks.find_issues(contents, snapshot.state, spec),
    ]
    if issues:
        raise pulumi.RunError(str(StackFileError(issues)))


def _log_changes_and_warnings(spec: StackSpec, snapshot: ClusterSnapshot) -> None:
    models = {name: desired_model(model_spec) for name, model_spec in spec.models.items()}
    lines = change_summary.summarize_changes(models, snapshot.state)
    if lines:
        pulumi.log.info("\n".join(["What this changes for clients and nodes:", *lines]))
    for line in (
        *change_summary.single_replica_warnings(models),
        *buffer_memory.buffer_memory_warnings(spec),
        *exposure_warnings(spec),
    ):
        pulumi.log.warn(line)


def _declare(
    spec: StackSpec,
    root: Path,
    contents: Mapping[tuple[str, str], Content],
    snapshot: ClusterSnapshot,
) -> None:
    platform = spec.platform
    namespace = Namespace(
        platform.namespace,
        metadata={"name": platform.namespace, "labels": {**labels("namespace"), **POD_SECURITY}},
    )
    priority = declare_priority_class(platform.namespace)
    declare_network_policies(namespace.metadata["name"], platform.model_egress)
    ingress = IngressController(
        "ingress-controller",
        IngressControllerArgs(
            namespace=namespace.metadata["name"],
            namespace_name=platform.namespace,
            hostname=platform.hostname,
            longest_timeout_seconds=spec.longest_timeout_seconds,
            trusted_ips=_trusted_ips(spec),
            priority=priority,
            spec=platform.ingress_controller,
        ),
    )
    declare_immutability_policy(ingress.class_name, platform.namespace, pulumi.ResourceOptions())
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
            traefik_ready=ingress.traefik_ready,
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
                traefik_ready=ingress.traefik_ready,
                harnesses=harnesses,
                repositories=[stored[name]] if name in stored else [],
                contents={version: contents[name, version] for version in model.versions},
                gate=snapshot.gate,
                spec=model,
            ),
        )


def _trusted_ips(spec: StackSpec) -> tuple[str, ...]:
    """Return the address ranges of a load balancer's requests."""
    platform = spec.platform
    if platform.load_balancer is None or platform.aws is None:
        return ()
    return (platform.aws.vpc.cidr,)


def _on_aws(spec: StackSpec) -> Mapping[str, pulumi.Resource]:
    """Declare the AWS resources if the file has a section `aws`; return repositories by name."""
    if spec.platform.aws is None:
        return {}
    # pulumi-aws is large: stacks without it do not import it
    from components.aws import aws_resources  # noqa: PLC0415

    harnesses = {repository_name(runtime.language.name): None for runtime in _runtimes(spec)}
    names = [*spec.models, *harnesses, REPOSITORY]
    return aws_resources.build(spec.platform, spec.platform.aws, names)


def _runtimes(spec: StackSpec) -> list[Runtime]:
    """Return the runtimes that this stack builds versions for, by name."""
    runtimes = {
        version.runtime
        for model in spec.models.values()
        for version in model.versions.values()
        if version.image is None
    }
    return sorted(runtimes, key=lambda runtime: runtime.name)


def _harnesses(
    spec: StackSpec, root: Path, stored: Mapping[str, pulumi.Resource]
) -> Mapping[Runtime, HarnessImage]:
    """Declare the harness images of the runtimes that this stack uses."""
    return {
        runtime: declare_harness_image(
            root,
            spec.platform.registry,
            read_harness(root, runtime),
            pulumi.ResourceOptions(depends_on=_repository(runtime, stored)),
        )
        for runtime in _runtimes(spec)
    }


def _repository(runtime: Runtime, stored: Mapping[str, pulumi.Resource]) -> list[pulumi.Resource]:
    name = repository_name(runtime.language.name)
    return [stored[name]] if name in stored else []


def _export(spec: StackSpec) -> None:
    """Export the resulting state; an output that described a change would differ in each run."""
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
