"""The watcher: publishes every state change of a version, and serves the status API."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker as docker
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    EnvVarArgsDict,
    PodTemplateSpecArgsDict,
    Secret,
    Service,
    ServiceAccount,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components import images, pods, ports
from components.build_context import read_watcher, stage_watcher
from components.config import DeploymentWatcherSpec
from components.config.stack_config import require_secret
from components.naming import annotation, labels
from components.platform.watcher_rbac import bind_role
from components.rabbitmq import broker_config
from components.rabbitmq.broker_credentials import WATCHER, password_key
from components.secrets_k8s import declare_secret, fingerprint
from components.traefik import shared_middlewares, traefik_crds
from components.workloads import (
    NO_DOWNTIME,
    SKIP_AWAIT,
    declare_disruption_budget,
    platform_selector,
    scrape_annotations,
)

NAME = "deployment-watcher"
REPOSITORY = "deployment_watcher"
"""Contains an underscore, which model names cannot contain."""
_COMPONENT = "watcher"
_TOKEN = "WATCHER_STATUS_TOKEN"  # noqa: S105 - a variable's name

_LOWEST_PRIORITY = 1
"""Not 0, for which Traefik uses the length of the rule."""

_SELECTOR = platform_selector(_COMPONENT)


@dataclass(frozen=True)
class DeploymentWatcherArgs:
    """The watcher's size, build context and dependencies.

    `traefik_ready` is ready once Traefik's CRDs and shared objects exist; `broker` is the Secret
    with the broker's password.
    """

    root: Path
    namespace: pulumi.Input[str]
    namespace_name: str
    registry: str
    repositories: list[pulumi.Resource]
    """Resources that must exist before the image is pushed."""
    traefik_ready: pulumi.Resource
    broker: Secret
    priority: pulumi.Input[str]
    spec: DeploymentWatcherSpec


class DeploymentWatcher(pulumi.ComponentResource):
    """The watcher's image, Deployment, RBAC, Service and route."""

    def __init__(
        self, name: str, args: DeploymentWatcherArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("model-deployment:platform:DeploymentWatcher", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        meta: ObjectMetaArgsDict = {
            "name": NAME,
            "namespace": args.namespace,
            "labels": labels(_COMPONENT),
        }
        token = _token(args.spec)
        depends_on: list[pulumi.Resource] = [args.broker, args.traefik_ready]
        if token:
            depends_on.append(declare_secret(NAME, meta, token, child))
        account = ServiceAccount(
            NAME, metadata=meta, automount_service_account_token=False, opts=child
        )
        depends_on.append(bind_role(NAME, meta, account, child))
        Deployment(
            NAME,
            metadata=meta,
            spec={
                "replicas": args.spec.replicas,
                "revision_history_limit": 3,
                "selector": {"match_labels": _SELECTOR},
                "strategy": NO_DOWNTIME,
                "template": _template(args, account, self._image(args), token),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )
        declare_disruption_budget(NAME, meta, _SELECTOR, child)
        self._declare_route(args, meta)
        self.register_outputs({})

    def _image(self, args: DeploymentWatcherArgs) -> pulumi.Output[str]:
        watcher = read_watcher(args.root)
        image = docker.Image(
            NAME,
            image_name=f"{args.registry}/{REPOSITORY}:{watcher.digest[: images.SHORT_HASH]}",
            build=images.docker_build_args(stage_watcher(args.root, watcher), {}),
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.repositories),
        )
        return image.repo_digest

    def _declare_route(self, args: DeploymentWatcherArgs, meta: ObjectMetaArgsDict) -> None:
        """Route paths that belong to no model: status, `/v2` with health, and 404 in JSON."""
        service = Service(
            NAME,
            metadata={**meta, "annotations": SKIP_AWAIT},
            spec={
                "selector": _SELECTOR,
                "ports": [{"name": "http", "port": 80, "target_port": "http"}],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        CustomResource(
            NAME,
            api_version=traefik_crds.API_VERSION,
            kind="IngressRoute",
            metadata=meta,
            spec={
                "entryPoints": ["web"],
                "routes": [
                    {
                        "kind": "Rule",
                        # one rule for all paths: no model's path starts like the watcher's
                        "match": "PathPrefix(`/`)",
                        "priority": _LOWEST_PRIORITY,
                        "services": [{"name": NAME, "port": "http"}],
                        "middlewares": [{"name": shared_middlewares.RETRY}],
                    }
                ],
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.traefik_ready, service]),
        )


def _token(spec: DeploymentWatcherSpec) -> dict[str, pulumi.Output[str]]:
    return {_TOKEN: require_secret(spec.token)} if spec.token else {}


def _template(
    args: DeploymentWatcherArgs,
    account: ServiceAccount,
    image: pulumi.Output[str],
    token: dict[str, pulumi.Output[str]],
) -> PodTemplateSpecArgsDict:
    annotations: dict[str, pulumi.Input[str]] = {
        **scrape_annotations(ports.WATCHER["health"], "/metrics")
    }
    if token:
        annotations[annotation("secrets")] = fingerprint(token)
    return {
        "metadata": {"labels": labels(_COMPONENT), "annotations": annotations},
        "spec": {
            "service_account_name": account.metadata["name"],
            "priority_class_name": args.priority,
            "automount_service_account_token": True,
            "enable_service_links": False,
            "security_context": pods.pod_security(),
            "topology_spread_constraints": pods.spread(_SELECTOR),
            "containers": [_container(args, image)],
            "volumes": [{"name": "tmp", "empty_dir": {"size_limit": "16Mi"}}],
        },
    }


def _container(args: DeploymentWatcherArgs, image: pulumi.Output[str]) -> ContainerArgsDict:
    return {
        "name": "watcher",
        "image": image,
        "env": _environment(args),
        "ports": [{"name": name, "container_port": port} for name, port in ports.WATCHER.items()],
        "resources": pods.resources(args.spec.resources),
        "security_context": pods.container_security(),
        # ready after the first list, even if the API server becomes unavailable later
        "readiness_probe": pods.probe("ready", period=1, failures=3),
        "liveness_probe": pods.probe("live", period=10, failures=6),
        "volume_mounts": [{"name": "tmp", "mount_path": pods.SCRATCH}],
        "termination_message_policy": "FallbackToLogsOnError",
    }


def _environment(args: DeploymentWatcherArgs) -> list[EnvVarArgsDict]:
    """Return the variables of `watcher/settings.py`; kubelet adds the API server's address."""
    values = {
        "WATCHER_NAMESPACE": args.namespace_name,
        "WATCHER_BROKER_HOST": broker_config.NAME,
        "WATCHER_BROKER_PORT": str(ports.BROKER["amqp"]),
        "WATCHER_BROKER_USER": WATCHER,
        "WATCHER_EXCHANGE": broker_config.EXCHANGE,
        "WATCHER_PORT": str(ports.WATCHER["http"]),
        "WATCHER_HEALTH_PORT": str(ports.WATCHER["health"]),
    }
    plain: list[EnvVarArgsDict] = [{"name": key, "value": value} for key, value in values.items()]
    secrets = {"WATCHER_BROKER_PASSWORD": (broker_config.NAME, password_key(WATCHER))}
    if args.spec.token:
        secrets[_TOKEN] = (NAME, _TOKEN)
    hidden: list[EnvVarArgsDict] = [
        {"name": variable, "value_from": {"secret_key_ref": {"name": name, "key": key}}}
        for variable, (name, key) in secrets.items()
    ]
    return [*plain, *hidden]
