"""Traefik, the entry point of the stack. It reads routing objects of one namespace."""

from dataclasses import dataclass
from typing import cast

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    PodTemplateSpecArgsDict,
    ResourceRequirementsArgsDict,
    Service,
    ServiceAccount,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import Ingress, IngressClass

from components import pods, ports
from components.config import IngressControllerSpec
from components.config.quantities import memory_bytes
from components.naming import labels
from components.traefik import entrypoint_middlewares, shared_middlewares, traefik_crds
from components.traefik.default_certificate import declare_default_certificate
from components.traefik.static_config import (
    READY,
    cli_arguments,
    environment,
    grace_seconds,
    ready_route,
)
from components.traefik.traefik_rbac import bind_role
from components.workloads import (
    NO_DOWNTIME,
    SKIP_AWAIT,
    declare_disruption_budget,
    platform_selector,
    scrape_annotations,
)

NAME = "ingress-controller"
_READY_NAME = f"{NAME}.ready"
_DISK = "1Gi"
"""Size limit of the volume for bodies buffered for mirrors and failovers."""

_SELECTOR = platform_selector(NAME)


@dataclass(frozen=True)
class IngressControllerArgs:
    """Arguments of Traefik: size, namespace and host name.

    `longest_timeout_seconds` is the longest timeout of any model. `trusted_ips` are the address
    ranges of a load balancer; with one, the nodes expose a port for its health checks, too.
    """

    namespace: pulumi.Input[str]
    namespace_name: str
    hostname: str
    longest_timeout_seconds: int
    trusted_ips: tuple[str, ...]
    priority: pulumi.Input[str]
    spec: IngressControllerSpec


class IngressController(pulumi.ComponentResource):
    """Traefik with its CRDs, RBAC, IngressClass, Service and PodDisruptionBudget.

    Ready means that its routes are loaded. Ingresses reference `class_name`. `traefik_ready`
    depends on all CRDs and shared objects: routes and Services depend on it alone, since each
    further dependency slows every preview.
    """

    class_name: str
    traefik_ready: CustomResource

    def __init__(
        self, name: str, args: IngressControllerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("model-deployment:platform:IngressController", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # cluster-wide names contain the namespace: two stacks may share a cluster
        self.class_name = f"model-deployment-{args.namespace_name}"
        meta: ObjectMetaArgsDict = {
            "name": NAME,
            "namespace": args.namespace,
            "labels": labels(NAME),
        }
        self.traefik_ready = self._traefik_ready(args, meta)
        account = ServiceAccount(
            NAME, metadata=meta, automount_service_account_token=False, opts=child
        )
        rights = bind_role(NAME, meta, self.class_name, account, child)
        IngressClass(
            NAME,
            metadata={"name": self.class_name, "labels": labels(NAME)},
            spec={"controller": "traefik.io/ingress-controller"},
            opts=child,
        )
        self.service = self._service(args, meta)
        ready = self._ready_route(args, meta)
        Deployment(
            NAME,
            metadata=meta,
            spec={
                "replicas": args.spec.replicas,
                "selector": {"match_labels": _SELECTOR},
                "strategy": NO_DOWNTIME,
                "template": self._template(args, account),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*rights, ready]),
        )
        declare_disruption_budget(NAME, meta, _SELECTOR, child)
        self.register_outputs({"className": self.class_name})

    def _traefik_ready(
        self, args: IngressControllerArgs, meta: ObjectMetaArgsDict
    ) -> CustomResource:
        child = pulumi.ResourceOptions(parent=self)
        kinds = [_definition(item, child) for item in traefik_crds.load()]
        defined = pulumi.ResourceOptions(parent=self, depends_on=kinds)
        shared = [
            CustomResource(
                item.name,
                api_version=traefik_crds.API_VERSION,
                kind=item.kind,
                metadata={**meta, "name": item.name},
                spec=item.spec,
                opts=defined,
            )
            for item in [
                *shared_middlewares.objects(args.longest_timeout_seconds),
                *entrypoint_middlewares.objects(args.spec),
            ]
        ]
        last = pulumi.ResourceOptions(parent=self, depends_on=[*kinds, *shared])
        return declare_default_certificate(meta, args.hostname, last)

    def _ready_route(self, args: IngressControllerArgs, meta: ObjectMetaArgsDict) -> CustomResource:
        """Declare a route to Traefik's ping that is served only once both providers are ready.

        Traefik loads Ingresses and custom resources separately. This route references a service
        of each provider, so it responds only when versions and routes are served, too.
        """
        service = f"{args.namespace_name}-{NAME}-web@kubernetes"
        ingress = Ingress(
            _READY_NAME,
            metadata={
                **meta,
                "name": _READY_NAME,
                "annotations": {
                    **SKIP_AWAIT,
                    "traefik.ingress.kubernetes.io/router.entrypoints": "traefik",
                },
            },
            spec={
                "ingress_class_name": self.class_name,
                "rules": [
                    {
                        "http": {
                            "paths": [
                                {
                                    "path": f"{READY}/ingress",
                                    "path_type": "Exact",
                                    "backend": {"service": {"name": NAME, "port": {"name": "web"}}},
                                }
                            ]
                        }
                    }
                ],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.service]),
        )
        return CustomResource(
            _READY_NAME,
            api_version=traefik_crds.API_VERSION,
            kind="IngressRoute",
            metadata={**meta, "name": _READY_NAME},
            spec=ready_route(service),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.traefik_ready, ingress]),
        )

    def _template(
        self, args: IngressControllerArgs, account: ServiceAccount
    ) -> PodTemplateSpecArgsDict:
        container: ContainerArgsDict = {
            "name": "traefik",
            "image": args.spec.image,
            "args": [
                *cli_arguments(
                    args.namespace_name,
                    self.class_name,
                    args.longest_timeout_seconds,
                    args.trusted_ips,
                ),
                *entrypoint_middlewares.arguments(args.namespace_name, args.spec),
            ],
            "ports": [
                {"name": name, "container_port": port} for name, port in ports.TRAEFIK.items()
            ],
            "env": [
                {"name": name, "value": value}
                for name, value in environment(memory_bytes(args.spec.resources.memory)).items()
            ],
            "resources": _resources(args.spec),
            "security_context": pods.container_security(),
            "liveness_probe": {
                "http_get": {"path": "/ping", "port": "traefik"},
                "period_seconds": 10,
                "timeout_seconds": 5,
            },
            "readiness_probe": {
                "http_get": {"path": READY, "port": "traefik"},
                "period_seconds": 1,
                "timeout_seconds": 2,
            },
            "volume_mounts": [{"name": "tmp", "mount_path": pods.SCRATCH}],
            "termination_message_policy": "FallbackToLogsOnError",
        }
        return {
            "metadata": {
                "labels": labels(NAME),
                "annotations": scrape_annotations(ports.TRAEFIK["metrics"]),
            },
            "spec": {
                "service_account_name": account.metadata["name"],
                "priority_class_name": args.priority,
                "automount_service_account_token": True,
                "enable_service_links": False,
                "security_context": pods.pod_security(),
                "termination_grace_period_seconds": grace_seconds(args.longest_timeout_seconds),
                "topology_spread_constraints": pods.spread(_SELECTOR),
                "containers": [container],
                "volumes": [{"name": "tmp", "empty_dir": {"size_limit": _DISK}}],
            },
        }

    def _service(self, args: IngressControllerArgs, meta: ObjectMetaArgsDict) -> Service:
        return Service(
            NAME,
            metadata={**meta, "annotations": SKIP_AWAIT},
            spec={
                "type": "NodePort",
                "selector": _SELECTOR,
                "ports": [
                    {
                        "name": name,
                        "port": port,
                        "target_port": target,
                        "node_port": node_port,
                    }
                    for name, port, target, node_port in _node_ports(args)
                ],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )


def _node_ports(args: IngressControllerArgs) -> list[tuple[str, int, str, int]]:
    """Return name, port, entry point and node port of each external port."""
    service_ports = [("web", 80, "web", args.spec.node_port)]
    if args.trusted_ips:
        service_ports.append(("ping", ports.TRAEFIK["traefik"], "traefik", args.spec.ping_port))
    if args.spec.redirect_port is not None:
        service_ports.append(("plain", ports.TRAEFIK["plain"], "plain", args.spec.redirect_port))
    return service_ports


def _resources(spec: IngressControllerSpec) -> ResourceRequirementsArgsDict:
    requirements = pods.resources(spec.resources)
    limits = cast("dict[str, str]", requirements["limits"])
    return {**requirements, "limits": {**limits, "ephemeral-storage": _DISK}}


def _definition(item: dict[str, object], opts: pulumi.ResourceOptions) -> CustomResource:
    metadata = cast("dict[str, object]", item["metadata"])
    name = cast("str", metadata["name"])
    return CustomResource(
        name,
        api_version="apiextensions.k8s.io/v1",
        kind="CustomResourceDefinition",
        metadata={"name": name, "labels": labels(NAME)},
        spec=item["spec"],
        opts=opts,
    )
